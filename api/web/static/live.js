// Keeps a page true while it stands open: ages grow, a verdict is withdrawn once its data are too old, new data are fetched.
// Time is the server's: its now at the answer, and how fast its clock runs. The phone's clock only measures differences.
// Phones are old: no word here that a browser of 2017, the first that know modules, cannot read. Where none of this runs, the style sheet hides the page.
import { printed, words } from "./age.js";
import { exchange, put } from "./exchange.js";

const state = JSON.parse(document.body.dataset.livePage);
const started = (performance.getEntriesByType("navigation")[0] || {}).responseStart || performance.now();
let answered = { mono: started, wall: Date.now() - (performance.now() - started) };
let failed = "";

// performance.now() may stand still while a phone sleeps, Date.now() may be set: whichever says that more time went by
const elapsed = () => Math.max(0, performance.now() - answered.mono, Date.now() - answered.wall);
export const now = () => state.now + elapsed() * state.speed;

function withdraw(card) {
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  card.classList.add("unknown");
  card.removeAttribute("data-good-for");
  const ground = part("ground");
  if (ground) {
    ground.classList.remove("k0", "k1", "k2", "k3", "k4");
    if (ground.classList.contains("tile")) ground.classList.add("hatch");
  }
  const sign = part("sign");
  if (sign) {
    const size = sign.firstElementChild ? sign.firstElementChild.getAttribute("width") : 40;
    put(sign, document.getElementById("stale-sign").content.cloneNode(true));
    sign.firstElementChild.setAttribute("width", size);
    sign.firstElementChild.setAttribute("height", size);
  }
  for (const name of ["title", "instead"]) if (part(name)) part(name).textContent = document.getElementById("live").dataset.stale;
  for (const each of card.querySelectorAll("template")) put(each.parentElement, each.content.cloneNode(true)); // what the server would show then
  for (const name of ["until", "detail", "word", "ahead"]) for (const each of card.querySelectorAll(`[data-part="${name}"]`)) each.remove();
}

function tick() {
  const at = now();
  document.getElementById("printed").textContent = printed(state.words, at, state.offset);
  for (const card of document.querySelectorAll("[data-good-for]")) {
    if (at - Number(card.dataset.asOf) > Number(card.dataset.goodFor)) withdraw(card);
  }
  for (const each of document.querySelectorAll("[data-age]")) {
    const text = words(state.words, each.dataset.form, at - Number(each.dataset.age));
    if (each.textContent !== text) each.textContent = text;
  }
  if (failed) tell();
}

function tell() {
  const banner = document.getElementById("offline");
  banner.hidden = !failed;
  banner.firstElementChild.style.display = failed === "offline" ? "" : "none";
  const said = failed === "error.server" ? `${state.words[failed]} ${state.words["page.shown"]}` : state.words[failed] || "";
  const text = said.replace("{time}", state.clock).replace("{ago}", words(state.words, "ago", now() - state.now));
  if (banner.lastElementChild.textContent !== text) banner.lastElementChild.textContent = text;
}

// A new warning is said once; what stood there when the page was opened is no news.
let known = Number(document.getElementById("live").dataset.newsTime || 0);
function announce() {
  const { news, newsTime, newsText, open } = document.getElementById("live").dataset;
  const said = document.getElementById("news");
  if (!said.hidden && !open.split(" ").includes(said.dataset.id)) said.hidden = true; // it is over, or somebody has read it
  if (!news || Number(newsTime) <= known) return;
  known = Number(newsTime);
  said.dataset.id = news;
  const link = document.createElement("a");
  link.href = `/alerts/${news}`;
  link.textContent = newsText;
  put(said, link);
  said.hidden = false;
}

const patience = () => (self.AbortSignal && AbortSignal.timeout ? AbortSignal.timeout(20000) : undefined);

let asking = false;
async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  const online = navigator.onLine;
  try {
    const asked = { mono: performance.now(), wall: Date.now() };
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: patience() });
    if (answer.status === 404 || answer.status === 401) return location.reload(); // it is no longer here, or no longer ours to see
    if (!answer.ok) throw new Error(answer.status >= 500 ? "error.server" : "");
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (next.body.dataset.livePage === undefined) throw new Error("");
    Object.assign(state, JSON.parse(next.body.dataset.livePage));
    answered = asked; // counted from the question on: rather too old than too young
    exchange(next);
    failed = "";
    announce();
  } catch (error) {
    failed = error.message === "error.server" || (online && navigator.onLine) ? "error.server" : "offline"; // with a network it is not the phone's fault
  } finally {
    asking = false;
  }
  tell();
  tick();
}

(function again() {
  setTimeout(() => refresh().then(again, again), state.refresh * 1000);
})();

// A page that nobody keeps true is hidden by the style sheet some minutes later: it is told each second that this one is kept.
function keep() {
  document.body.classList.remove("kept");
  tick();
  document.body.classList.add("kept");
}
setInterval(keep, 1000);
keep();
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("pageshow", (event) => event.persisted && refresh());
addEventListener("online", refresh);
addEventListener("offline", () => { failed = "offline"; tell(); });

// the other language opens where this one was being read
const PLACE = "canhman-place";
document.querySelector(".lang").addEventListener("click", () => sessionStorage.setItem(PLACE, `${location.pathname} ${scrollY}`));
const [path, y] = (sessionStorage.getItem(PLACE) || "").split(" ");
sessionStorage.removeItem(PLACE);
if (path === location.pathname) scrollTo({ top: Number(y), behavior: "instant" });
