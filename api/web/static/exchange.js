// Puts the parts of a newer answer in the place of the old ones: silently, and whoever reads or types there is not disturbed.
function address(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.hasAttribute("href")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  if (element.value) return `${element.localName}[value="${CSS.escape(element.value)}"]`;
  const around = element.closest("[id]");
  return around && `#${CSS.escape(around.id)} ${element.localName}`;
}

// `replaceChildren`, which phones of before 2020 have not.
export function put(place, ...nodes) {
  place.textContent = "";
  place.append(...nodes);
}

export function exchange(next) {
  const y = scrollY;
  for (const part of document.querySelectorAll("[data-live]")) {
    const newer = next.getElementById(part.id);
    if (!newer) continue;
    for (const { name, value } of newer.attributes) if (part.getAttribute(name) !== value) part.setAttribute(name, value);
    for (const { name } of [...part.attributes]) if (!newer.hasAttribute(name)) part.removeAttribute(name);
    if (part.innerHTML === newer.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? address(document.activeElement) : null;
    const open = [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
    put(part, ...newer.childNodes);
    for (const each of part.querySelectorAll("details[id]")) if (open.includes(each.id)) each.setAttribute("open", "");
    const place = focused && part.querySelector(focused);
    if (place) place.focus({ preventScroll: true });
  }
  if (scrollY !== y) scrollTo({ top: y, behavior: "instant" });
}
