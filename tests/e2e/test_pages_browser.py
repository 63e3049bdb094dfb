"""The pages in Debian's Chromium, on a phone and on a desk: as people see and use them, with and without scripts, with and without a network."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from servers.backend import Hands
from servers.browser import DESK, NOW, PHONE, chromium, pages_backend, serving

from adapters.sql.database import SqlDatabase
from api.backend import Backend
from core.alert import AlertEvent, Step
from core.forecast import HOUR_MS
from core.place import Deployment, Device, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState

pytestmark = pytest.mark.servers

PATHS = (
    "/",
    "/stations/nuoc-trong",
    "/stations/dai-ngai",
    "/stations/ruong-8",
    "/river",
    "/alerts",
    "/alerts/1",
    "/alerts?state=cleared",
    "/login",
    "/docs",
    "/record",
)
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
LIMIT_BYTES = 150_000
AIM_BYTES = 40_000
FONTS = Path(__file__).parents[2] / "api" / "web" / "static" / "fonts"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """Stations in every state."""
    return pages_backend(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def address(backend: Backend) -> Iterator[str]:
    """Where the app answers."""
    chromium()
    with serving(backend) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all of them."""
    program = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def hands(backend: Backend) -> Iterator[Hands]:
    """The installation's clock, put back afterwards."""
    clock: Hands = backend.clock  # type: ignore[assignment]  # make_backend put it there
    yield clock
    clock.now = NOW


@contextmanager
def opened(browser: Browser, size: tuple[int, int], **more: Any) -> Iterator[Page]:
    """A page of a new visitor; anything it writes to the console as an error fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    try:
        yield page
        cut = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED")  # the network was cut, or the server stopped, on purpose
        wrong = [e for e in errors if not any(c in e for c in cut)]
        assert not wrong
    finally:
        context.close()


@SIZES
def test_from_the_list_to_a_station_and_into_english(browser: Browser, address: str, size: tuple[int, int]) -> None:
    """It shows the stations, opens one, switches the language there, and stays in it on the way back."""
    with opened(browser, size) as page:
        page.goto(address)
        assert page.locator('[data-part="title"]').count() == 13
        page.get_by_role("link", name="Ngã ba Nước Trong").click()
        page.wait_for_url("**/stations/nuoc-trong")
        assert page.locator("article [data-part=title]").inner_text() == "Đừng lấy nước"
        page.get_by_role("link", name="EN, English").click()
        page.wait_for_url("**/stations/nuoc-trong?lang=en")
        assert page.locator("article [data-part=title]").inner_text() == "Do not take water"
        assert page.locator("html").get_attribute("lang") == "en"
        page.get_by_role("link", name="Back to the stations").click()
        page.wait_for_url(address + "/")
        assert page.get_by_role("link", name="Alerts").is_visible()


@SIZES
def test_without_scripts(browser: Browser, address: str, size: tuple[int, int]) -> None:
    """Search, a station, its limit, its chart in words, the river and an alert: all by plain links and forms; it reloads by itself."""
    with opened(browser, size, java_script_enabled=False) as page:
        page.goto(address)
        assert page.locator('noscript meta[http-equiv="refresh"]').count() == 1
        page.locator("#q").fill("nuoc trong")
        page.locator("#q").press("Enter")
        page.wait_for_url("**/?q=nuoc*trong")
        page.locator("article a.head").click()
        page.wait_for_url("**/stations/nuoc-trong")
        page.get_by_role("button", name="4 g/L").click()
        page.wait_for_url("**/stations/nuoc-trong?limit=4")
        page.locator("#week-words summary").click()
        assert page.locator("#week-words table").is_visible()
        page.get_by_role("link", name="Dòng sông").click()
        page.wait_for_url("**/river")
        page.get_by_role("link", name="Cảnh báo").click()
        page.locator("a.row").first.click()
        page.wait_for_url("**/alerts/1")
        assert page.get_by_text("Việc cần làm").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SIZES
def test_axe_finds_nothing_grave(browser: Browser, address: str, size: tuple[int, int], scheme: str) -> None:
    """No serious or critical finding on any page, light or dark."""
    with opened(browser, size, color_scheme=scheme) as page:
        for path in PATHS:
            page.goto(address + path)
            found = [v for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
            assert not found, f"{path}: {[(v['id'], [n['html'][:120] for n in v['nodes'][:3]]) for v in found]}"


@pytest.mark.parametrize("path", PATHS)
def test_first_load_is_light(browser: Browser, address: str, path: str) -> None:
    """All that crosses the wire for a first visit, compressed, is far under what a poor network bears."""
    with opened(browser, PHONE) as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[float] = []
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(address + path, wait_until="networkidle")
        assert len(sizes) >= 2
        font = sum(p.stat().st_size + 400 for p in FONTS.glob("*.woff2"))  # where `make web` put it; with what is said around each file
        assert sum(sizes) - font < AIM_BYTES
        assert sum(sizes) < LIMIT_BYTES


def test_modules_are_small() -> None:
    """All scripts together, as they stand in the checkout."""
    folder = Path(__file__).parents[2] / "api" / "web" / "static"
    assert 0 < sum(p.stat().st_size for p in folder.glob("**/*.js")) < 20_000


NEWER = "|".join(
    (
        *(r"\?\.", r"\?\?", r"\|\|=", "&&=", r"catch \{", r"\.finally\(", "replaceChildren", "toggleAttribute", "replaceAll", "matchAll", r"\.at\("),
        *(r"\.flat", "fromEntries", "allSettled", "structuredClone", r"static \{", r"\d_\d", "^await", r"import\("),
    )
)


def test_scripts_are_read_by_old_phones() -> None:
    """No module has a word that browsers of 2017, the first that know modules (Chromium 61), cannot read: one such word and a page stays as it was opened."""
    folder = Path(__file__).parents[2] / "api" / "web" / "static"
    found = {p.name: re.findall(NEWER, re.sub(r"(?m)//.*$", "", p.read_text("utf-8")), re.MULTILINE) for p in folder.glob("**/*.js")}
    assert found == {"live.js": [], "age.js": [], "exchange.js": []}


OLD_PHONE = "delete Element.prototype.replaceChildren; delete Element.prototype.toggleAttribute; delete AbortSignal.timeout; delete Promise.prototype.finally"


def test_an_old_phone_renews_and_withdraws(browser: Browser, address: str) -> None:
    """Without what browsers learned after 2017 a page is renewed, and without a network withdrawn, as on any other."""
    with opened(browser, PHONE) as page:
        page.add_init_script(OLD_PHONE)
        page.clock.install()
        page.goto(address)
        page.evaluate("document.querySelector('#live').dataset.old = 'yes'")
        page.clock.run_for(20_000)
        page.locator("#live:not([data-old])").wait_for()
        page.context.set_offline(True)
        page.get_by_text("Không có mạng. Đang xem số lưu lúc 10:00.").wait_for()
        page.clock.run_for(90 * 60_000)
        assert page.get_by_text("Lấy và trữ nước được").count() == 0
        assert page.locator("main .k0, main .k1, main .k2, main .k3, main .k4").count() == 0


def test_a_page_that_nothing_renews_is_hidden(browser: Browser, address: str) -> None:
    """Where the script did not come, or is not understood, what the page says is gone after three minutes, and a way to load it anew stands there."""
    with opened(browser, PHONE) as page:
        page.goto(address)
        assert page.evaluate("document.getAnimations().length") == 0
        assert not page.locator(".unkept").is_visible()
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    context.route("**/live.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(address)
    assert page.locator("#live").is_visible()
    assert page.evaluate("document.getAnimations().map((a) => a.effect.getTiming().delay)") == [180_000, 180_000]
    page.evaluate("document.getAnimations().forEach((a) => a.finish())")
    assert not page.locator("#live").is_visible()
    assert page.locator(".unkept").inner_text().split("\n") == ["Trang này mở đã lâu. Đừng theo số cũ", "Thử lại"]
    page.get_by_role("link", name="Thử lại").click()
    page.locator("#live").wait_for()
    context.close()


@pytest.mark.parametrize("path", ["/", "/stations/cai-tu", "/record"])
@pytest.mark.parametrize("size", [(320, 640), PHONE, DESK])
def test_what_says_that_a_page_is_old_covers_nothing(browser: Browser, address: str, path: str, size: tuple[int, int]) -> None:
    """It stands in the place of what is hidden, below name, date and search, and stays on the screen of who had read on."""
    with opened(browser, size) as page:
        page.route("**/live.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page.goto(address + path)
        page.evaluate("document.getAnimations().forEach((a) => a.finish())")
        told = page.locator(".unkept")
        box = told.bounding_box()
        assert box is not None
        for name in ("header", ".bar, .day", ".search"):
            for above in page.locator(name).all():
                other = above.bounding_box()
                assert other is not None
                assert other["y"] + other["height"] <= box["y"], name
        page.evaluate("scrollTo({top: 900, behavior: 'instant'})")
        box = told.bounding_box()
        assert box is not None
        assert 0 <= box["y"] < 120


def test_without_scripts_nothing_is_hidden(browser: Browser, address: str) -> None:
    """Where scripts are off, what the page says stays beside its time, however slowly it loads again; after three minutes it says that it is old."""
    with opened(browser, PHONE, java_script_enabled=False) as page:
        page.goto(address)
        assert page.get_by_text("Số tính tới lúc 10:00, ngày").is_visible()
        session = page.context.new_cdp_session(page)
        session.send("Animation.enable")
        session.send("Animation.setPlaybackRate", {"playbackRate": 1000.0})  # three minutes in a fifth of a second
        page.locator(".unkept").wait_for(state="visible")
        assert page.locator("#live").is_visible()
        assert page.get_by_text("Lấy và trữ nước được").first.is_visible()


@pytest.mark.parametrize("width", [320, 360, 768, 1366])
def test_nothing_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    """At 320 px, and so at 200 % of 640 px, every page fits its width."""
    with opened(browser, (width, 740)) as page:
        for path in PATHS:
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "without"])
def test_the_record_of_each_station_fits_a_phone(browser: Browser, address: str, scripts: bool, lang: str) -> None:
    """Every number of the table of stations stands on the screen, and each has what it is about beside it."""
    with opened(browser, PHONE, java_script_enabled=scripts) as page:
        page.goto(f"{address}/record?lang={lang}")
        cells = page.locator("table.each td")
        assert cells.count() == 3 * 6
        for cell in cells.all():
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] >= 12
            assert box["x"] + box["width"] <= 360 - 12
        assert page.locator("table.each").evaluate(
            "e => [...e.querySelectorAll('td')].every((c) => getComputedStyle(c, '::before').content === JSON.stringify(c.dataset.head))"
        )


def test_a_table_that_goes_on_beyond_the_screen_says_so(browser: Browser, address: str) -> None:
    """A bar of ink stands at each edge behind which there is more, and none where all of it is seen."""

    def dark(place: Locator) -> list[bool]:
        """Whether the left and the right edge of it are ink, at its lower end, where nothing is written."""
        shot = base64.b64encode(place.screenshot()).decode()
        edges: list[bool] = page.evaluate(EDGES, shot)
        return edges

    with opened(browser, PHONE, color_scheme="light") as page:
        page.goto(address + "/river?lang=en")
        page.locator("#river-words summary").click()
        table = page.locator("#river-words .scroll")
        assert table.evaluate("e => e.scrollWidth - e.clientWidth") > 60
        assert dark(table) == [False, True]
        table.evaluate("e => e.scrollLeft = 30")
        assert dark(table) == [True, True]
        table.evaluate("e => e.scrollLeft = 9999")
        assert dark(table) == [True, False]
        page.goto(address + "/stations/kenh-lau?lang=vi")
        page.locator("#week summary").click()
        assert dark(page.locator("#week .scroll")) == [False, False]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_letters_twice_as_large_push_no_page_sideways(browser: Browser, address: str, lang: str) -> None:
    """On a phone whose letters are set to 200 % every page fits its width, and no line of a card is cut off."""
    with opened(browser, PHONE) as page:
        for path in PATHS:
            page.goto(f"{address}{path}{'&' if '?' in path else '?'}lang={lang}")
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            page.evaluate(  # as long as ages and values get
                """() => { for (const e of document.querySelectorAll("[data-form=ago]")) e.textContent = "22 giờ 32 phút trước";
                for (const e of document.querySelectorAll("td.value b")) e.textContent = "15,38\u00a0mS/cm"; }"""
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            cut = page.evaluate("[...document.querySelectorAll('.row .lines')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)")
            assert not cut, path


def test_the_bar_fits_letters_twice_as_large(browser: Browser, address: str) -> None:
    """On a phone whose letters are set to 200 % every word of the bar below is on the screen, and it covers nothing of the page's end."""
    with opened(browser, (360, 640)) as page:
        page.goto(address)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        inside = """(e) => {
          const range = document.createRange();
          range.selectNodeContents(e);
          const box = range.getBoundingClientRect();
          return [box.left, box.right];
        }"""
        for link in page.locator(".nav a").all():
            left, right = link.evaluate(inside)
            assert 0 <= left < right <= 360, link.inner_text()
        page.evaluate("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
        foot, bar = (page.locator(name).bounding_box() for name in (".foot", ".nav"))
        assert foot is not None
        assert bar is not None
        assert foot["y"] + foot["height"] <= bar["y"] + 1


# Chromium decodes its own picture: is the middle of the left and of the right edge dark, 12 px above the lower one
EDGES = """async png => {
  const image = new Image(); image.src = "data:image/png;base64," + png; await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d", {willReadFrequently: true}); pen.drawImage(image, 0, 0);
  return [2, image.width - 2].map((x) => pen.getImageData(x, image.height - 12, 1, 1).data[0] < 80);
}"""
LONG = "w" * 63


async def sow_long(backend: Backend) -> None:
    """A station with a name, a point, a device and a number as long as they get, and readings hours old."""
    db = backend.registry
    assert isinstance(db, SqlDatabase)
    await db.put(Station(id="long", org="vithanh", name="Kênh " + LONG, public=True), Device(id=LONG, org="vithanh"), actor="test")
    standing = [Deployment(device=LONG, channel=point, station="long", point=point, interval_s=9e4) for point in ("main", "p" * 32)]
    await db.put(*standing, actor="test")
    states = []
    for quantity, value in (("water.salinity", 1e308), ("water.ec", 1e308), ("device.battery", 123456.789)):
        for point in ("main", "p" * 32):
            key = SeriesKey("vithanh", "long", point, LONG if point == "main" else f"{LONG}/{point}", quantity)
            last = Latest(time=NOW - 18 * HOUR_MS - 51 * 60_000, value=value, flag=1)
            states.append(
                SeriesState(
                    key=key, role="primary", newest=last, received=last.time, judged=last, good=last, dirty_from=None, changed=0, interval_ms=90_000_000
                )
            )
    await backend.states.replace([*await backend.states.states(), *states])


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_nothing_long_pushes_a_station_page_sideways(browser: Browser, tmp_path: Path, lang: str) -> None:
    """A device of 63 letters, 1e308, hours and minutes: all of it fits 320 px."""
    with ThreadPoolExecutor(1) as other:  # this thread's loop is Playwright's
        backend = other.submit(pages_backend, tmp_path).result()
        other.submit(asyncio.run, sow_long(backend)).result()
    with serving(backend) as address, opened(browser, (320, 740)) as page:
        for station in ("long", "hoc-po", "markup", "kenh-lau", "ruong-8"):
            page.goto(f"{address}/stations/{station}?lang={lang}")
            if station == "long":
                assert ("1,0e308" if lang == "vi" else "1.0e308") in page.locator("table.points").inner_text()
                page.locator("#technical summary").click()
                assert LONG in page.locator("#technical").inner_text()
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, station


def test_the_bar_of_a_desk_stands_in_one_line(browser: Browser, address: str) -> None:
    """No word of the bar breaks, the badge stands between bell and word, and the drawings fill their cards with words no larger than the text."""
    with opened(browser, DESK) as page:
        page.goto(address + "/stations/nuoc-trong")
        assert page.evaluate("[...document.querySelectorAll('.nav span')].every((e) => e.getClientRects().length === 1 && e.offsetHeight < 30)")
        bell, badge, word = (page.locator(f'.nav a[href="/alerts"] {part}').bounding_box() for part in ("svg", "i", "span"))
        assert bell is not None
        assert badge is not None
        assert word is not None
        assert bell["x"] < badge["x"] < bell["x"] + bell["width"] + 4
        assert badge["x"] + badge["width"] <= word["x"]
        for kind in ("ruler", "strip", "ahead"):
            filled, large = page.evaluate(
                """(kind) => { const svg = document.querySelector(`svg.${kind}`), box = svg.getBoundingClientRect();
                const card = svg.parentElement.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
                const sizes = [...svg.querySelectorAll('text:not([font-size="17"])')].map((t) => parseFloat(getComputedStyle(t).fontSize) * scale);
                return [box.width / (card.width - 32), Math.max(...sizes)]; }""",
                kind,
            )
            assert filled > 0.95, kind
            assert large <= 17, kind


@pytest.mark.parametrize("path", [p for p in PATHS if p != "/docs"])
def test_what_is_tapped_is_large(browser: Browser, address: str, path: str) -> None:
    """Links outside of running text, buttons and fields are at least 48 px high and wide."""
    with opened(browser, PHONE) as page:
        page.goto(address + path)
        small = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), summary")]
                .filter((e) => e.checkVisibility() && !e.closest(".skip, .body p, main > p"))
                .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
                .filter(([, box]) => box.width < 47.5 || box.height < 47.5)
                .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)"""
        )
        assert not small


def test_dark_follows_the_phone(browser: Browser, address: str) -> None:
    """The ground is dark, the water's colours stay."""
    colours = {}
    for scheme in ("light", "dark"):
        with opened(browser, PHONE, color_scheme=scheme) as page:
            page.goto(address)
            colours[scheme] = page.evaluate(
                '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector(".k4")).backgroundColor]'
            )
    assert colours["light"] == ["rgb(244, 240, 228)", "rgb(75, 10, 46)"]
    assert colours["dark"] == ["rgb(14, 22, 20)", "rgb(75, 10, 46)"]


@pytest.fixture(scope="module")
def demo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same stations on a simulated clock."""
    with ThreadPoolExecutor(1) as aside:  # the browser has a loop in this thread
        made = aside.submit(pages_backend, tmp_path_factory.mktemp("made"), simulated=True).result()
    with serving(made) as found:
        yield found


@pytest.mark.parametrize(
    ("size", "scheme"), [((320, 640), "dark"), (PHONE, "light"), (DESK, "light"), (DESK, "dark")], ids=["narrow-dark", "phone-light", "desk-light", "desk-dark"]
)
def test_what_is_made_says_so_wherever_one_reads(browser: Browser, demo_address: str, size: tuple[int, int], scheme: Any) -> None:
    """At the upper edge, in front of everything, also at the end of a long page; it covers no link, and nothing scrolls sideways for it."""
    with opened(browser, size, color_scheme=scheme) as page:
        for path in ("/", "/stations/nuoc-trong", "/river", "/record", "/login"):
            page.goto(demo_address + path)
            for _ in range(2):
                mark = page.locator(".made")
                box = mark.bounding_box()
                assert box is not None
                assert (box["y"], box["width"]) == (0, size[0])
                assert 24 <= box["height"] <= 32
                top = page.evaluate("document.elementFromPoint(innerWidth / 2, 10).className")
                assert top == "made"
                page.evaluate("scrollTo(0, document.body.scrollHeight)")
            colours = page.evaluate("(() => { const s = getComputedStyle(document.querySelector('.made')); return [s.color, s.backgroundColor]; })()")
            assert colours == {"light": ["rgb(255, 255, 255)", "rgb(11, 21, 19)"], "dark": ["rgb(24, 34, 31)", "rgb(246, 242, 230)"]}[scheme]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate("scrollTo(0, 0)")
            nav = page.locator(".nav").bounding_box()
            assert nav is not None
            assert nav["y"] >= 28


def test_printed_what_is_made_says_so(browser: Browser, demo_address: str) -> None:
    """In a frame on the first sheet, whatever a browser knows of margins."""
    with opened(browser, DESK) as page:
        page.emulate_media(media="print")
        page.goto(demo_address + "/stations/nuoc-trong")
        assert page.locator(".made").is_visible()
        style = page.evaluate("(() => { const s = getComputedStyle(document.querySelector('.made')); return [s.position, s.borderTopStyle, s.color]; })()")
        assert style == ["static", "solid", "rgb(11, 21, 19)"]


def test_a_cut_network_withdraws_what_allows(browser: Browser, address: str) -> None:
    """Offline: the banner at once, ages grow, and when the data are too old no card allows, with the scale's colours gone."""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address)
        take = page.locator('a.row[href="/stations/kenh-nam"]')
        assert take.locator("[data-part=title]").inner_text() == "Lấy và trữ nước được"
        page.context.set_offline(True)
        page.get_by_text("Không có mạng. Đang xem số lưu lúc 10:00.").wait_for()
        page.clock.run_for(30 * 60_000)
        assert "35 phút trước" in take.inner_text()
        assert "Bơm được: suốt 72 giờ tới" in take.inner_text()
        assert take.locator("[data-part=title]").inner_text() == "Lấy và trữ nước được"
        page.clock.run_for(60 * 60_000)
        assert take.locator("[data-part=title]").inner_text() == "Số cũ. Đừng lấy nước"
        assert "1 giờ 35 phút trước" in take.inner_text()
        assert page.locator("main .k0, main .k1, main .k2, main .k3, main .k4").count() == 0
        assert page.get_by_text("Lấy và trữ nước được").count() == 0
        assert page.get_by_text("Bơm được").count() == 0
        page.context.set_offline(False)
        page.clock.run_for(20_000)
        page.locator("#offline").wait_for(state="hidden")
        assert take.locator("[data-part=title]").inner_text() == "Lấy và trữ nước được"


def test_a_cut_network_withdraws_the_hours_to_pump(browser: Browser, address: str) -> None:
    """On a station's page too: when the reading is too old, list and ticked chart are gone, and what to do stands in their place."""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address + "/stations/cai-tu")
        assert page.locator("ul.pump li").count() == 6
        assert page.locator("svg.strip").count() == 1
        assert page.locator("[data-part=word]").all_inner_texts() == ["Lợ, đang lên", "Lợ"]
        page.context.set_offline(True)
        page.clock.run_for(50 * 60_000)
        assert page.locator("ul.pump li").count() == 6
        page.clock.run_for(10 * 60_000)
        assert page.locator("ul.pump, svg.ahead, svg.strip, [data-part=word]").count() == 0
        assert page.locator(".withdrawn").all_inner_texts() == ["Số cũ. Đừng lấy nước"] * 2


def test_a_cut_network_withdraws_how_far_the_salt_reaches(browser: Browser, address: str) -> None:
    """The river page too: ages grow, and once a reading behind it is too old neither colour, number nor line is left of its river, in picture or words."""
    colours = '#live svg.up [data-part="ahead"] [fill^="var(--s"]:not([fill="var(--silt)"])'
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address + "/river")
        page.locator("#river-words summary").click()
        said = page.locator("#river-said p").first
        assert "4 g/L: km" in said.inner_text().replace("\u00a0", " ")
        assert "Số cũ nhất trong đó: 5 phút trước." in said.inner_text()
        assert page.locator(colours).count() > 0
        page.context.set_offline(True)
        page.clock.run_for(30 * 60_000)
        assert "Số cũ nhất trong đó: 35 phút trước." in said.inner_text()
        assert "4 g/L: km" in page.locator("#river-said").inner_text().replace("\u00a0", " ")
        page.clock.run_for(8 * HOUR_MS)
        words = page.locator("#river-said").inner_text().replace("\u00a0", " ")
        assert "km" not in words
        assert "Chưa rõ mặn tới đâu. Số cũ 8 giờ 35 phút. Đo lại trước khi lấy nước." in words
        assert page.locator(colours).count() == 0
        assert page.locator("#live tspan").count() == 0
        assert page.locator("svg.up .instead").first.is_visible()
        table = page.locator("#river-words tbody tr").all_inner_texts()
        assert table
        assert all("Chưa rõ" in row and "g/L" not in row and "trước" in row for row in table)
        named = page.evaluate("document.querySelector('svg.up').getAttribute('aria-labelledby')")
        assert named == "river-said"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_cut_network_takes_the_colour_off_the_newest_reading(browser: Browser, address: str, scheme: Any) -> None:
    """In the charts of a week and of the hours as on the card: an old reading's dot is empty."""
    look = "() => [...document.querySelectorAll('.newest')].map((dot) => getComputedStyle(dot).fill)"
    with opened(browser, PHONE, color_scheme=scheme) as page:
        page.clock.install()
        page.goto(address + "/stations/cai-tu")
        card = page.evaluate("() => getComputedStyle(document.querySelector('.verdict')).backgroundColor")
        before = page.evaluate(look)
        assert len(before) == 2
        assert card not in before
        page.context.set_offline(True)
        page.clock.run_for(2 * HOUR_MS)
        assert set(page.evaluate(look)) == {card}


def test_a_withdrawn_page_is_as_the_servers_own(browser: Browser, address: str, hands: Hands) -> None:
    """Why stands under what to do, the number turns pale, the ruler's pointer dashed, the tick goes, every age grows; as on a page that is opened then."""
    look = """() => ({
      number: getComputedStyle(document.querySelector(".big")).color, ruler: document.querySelector(".ruler").getAttribute("aria-label"),
      say: document.querySelector(".say").innerText.trim(), why: document.querySelector(".verdict .body").innerText.trim(),
      trust: [...document.querySelectorAll(".trust li")].slice(0, 2).map((l) => l.innerHTML),
    })"""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address + "/stations/kenh-nam")
        before = page.evaluate(look)
        page.context.set_offline(True)
        page.clock.run_for(2 * HOUR_MS)
        after = page.evaluate(look)
        assert "2 giờ 5 phút trước" in after["trust"][0]
        assert page.locator("#printed").text_content() == "In lúc 12:00, ngày 02/03/2026"
    hands.now = NOW + 2 * HOUR_MS
    with opened(browser, PHONE) as page:
        page.goto(address + "/stations/kenh-nam")
        then = page.evaluate(look)
    assert then["number"] == after["number"] != before["number"]
    assert then["ruler"] == after["ruler"] != before["ruler"]
    assert then["say"] == after["say"] != before["say"]
    assert then["why"] == after["why"] == "Số cũ 2 giờ 5 phút. Đo lại trước khi lấy nước."
    assert [t.split("<span", 1)[1].split(">", 1)[1] for t in then["trust"]] == [t.split("<span", 1)[1].split(">", 1)[1] for t in after["trust"]]


def test_how_long_it_is_silent_grows(browser: Browser, address: str) -> None:
    """In whole hours, from two days on in days."""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address + "/stations/hoc-po")
        assert "Máy im 9 giờ" in page.locator("article").inner_text()
        page.context.set_offline(True)
        page.clock.run_for(2 * HOUR_MS)
        assert "Máy im 11 giờ" in page.locator("article").inner_text()


@pytest.mark.parametrize("path", ["/stations/go-quao", "/record?station=cai-tu"])
def test_paper_has_every_table_every_warning_and_its_dates(browser: Browser, address: str, path: str) -> None:
    """Printed: what stands folded is open, alerts stand there, and when it was printed; on the screen the dates of paper do not."""
    with opened(browser, DESK) as page:
        page.goto(address + path)
        assert not page.locator("#printed").is_visible()
        page.emulate_media(media="print")
        folded = page.locator("main details table, main details .ticks")
        assert folded.count() >= 2
        assert all(folded.nth(i).is_visible() for i in range(folded.count()))
        assert page.locator("#printed").is_visible()
        if "stations" in path:
            assert page.locator("a.banner").is_visible()
            assert "Đo 9:55 (02/03/2026), 5 phút trước" in page.locator(".say").inner_text()


def test_a_server_that_is_gone_is_not_the_phones_network(browser: Browser, tmp_path: Path) -> None:
    """The phone has a network and the server does not answer: the fault is told as the server's, with the age of what is shown."""
    with ThreadPoolExecutor(1) as other:  # this thread's loop is Playwright's
        backend = other.submit(pages_backend, tmp_path).result()
    with opened(browser, PHONE) as page:
        page.clock.install()
        with serving(backend) as address:
            page.goto(address)
        page.clock.run_for(16_000)
        page.get_by_text("Không tải được số mới. Lỗi ở máy chủ, không phải điện thoại. Đang xem số lúc 10:00, vừa mới.").wait_for()
        page.clock.run_for(3 * 60_000)
        page.get_by_text("Đang xem số lúc 10:00, 3 phút trước.").wait_for()
        assert not page.get_by_text("Không có mạng").is_visible()


def test_a_page_renews_itself_in_silence(browser: Browser, address: str, hands: Hands) -> None:
    """New data come in without a reload: what is read, typed, opened and focused stays where it is."""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address + "/stations/kenh-nam")
        page.locator("#week-words summary").click()
        page.locator("#week-words summary").focus()
        page.evaluate("scrollTo({top: 400, behavior: 'instant'}); window.mark = 1")
        hands.now = NOW + 2 * HOUR_MS
        page.clock.run_for(16_000)
        page.get_by_text("Số cũ. Đừng lấy nước").wait_for()
        assert page.evaluate("[window.mark, scrollY, document.querySelector('#week-words').open]") == [1, 400, True]
        assert page.evaluate("document.activeElement.closest('details')?.id") == "week-words"
        page.goto(address)
        page.locator("#q").fill("Kênh L")
        page.clock.run_for(16_000)
        assert page.locator("#q").input_value() == "Kênh L"


async def warn(backend: Backend) -> None:
    """Open an alert at cai-tu."""
    fresh = replace(await backend.alerts.alert(1), id=0, station="cai-tu", line=1.0, level=2, opened_at=NOW, updated_at=NOW)
    await backend.alerts.take_steps([Step(alert=fresh, event=AlertEvent(at=NOW, kind="opened"))])


async def read_all(backend: Backend) -> None:
    """An officer reads every alert."""
    for alert in await backend.alerts.live_alerts(cleared_since=NOW):
        await backend.alerts.acknowledge(alert.id, actor="lan", at=NOW)


def test_a_new_warning_is_said_once(browser: Browser, address: str, backend: Backend) -> None:
    """What stood there when the page was opened is no news; one that opens later is said by role=alert, and gone when it was read."""
    with opened(browser, PHONE) as page:
        page.clock.install()
        page.goto(address)
        page.clock.run_for(16_000)
        assert not page.locator("#news").is_visible()
        with ThreadPoolExecutor(1) as other:  # this thread's loop is Playwright's
            other.submit(asyncio.run, warn(backend)).result()
        page.clock.run_for(16_000)
        news = page.get_by_role("alert")
        news.wait_for()
        assert "Cái Tư: Đóng cống" in news.inner_text()  # its water stands at 6.1 g/L
        with ThreadPoolExecutor(1) as other:
            other.submit(asyncio.run, read_all(backend)).result()
        page.clock.run_for(16_000)
        page.locator("#news").wait_for(state="hidden")


def test_printed_it_reads_in_grey(browser: Browser, address: str) -> None:
    """On paper: no navigation, no button, every verdict in words."""
    with opened(browser, PHONE) as page:
        page.goto(address)
        page.emulate_media(media="print")
        assert not page.locator("#nav").is_visible()
        assert not page.locator(".search").is_visible()
        assert page.get_by_text("Lấy và trữ nước được").first.is_visible()
