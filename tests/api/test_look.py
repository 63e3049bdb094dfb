"""The look: its tokens, shapes and words are ours, and nothing of ours has a colour of its own."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from api.web.charts.shapes import shape
from api.web.words import band_word, date_header, hour_words
from core.texts import NBSP, age, number, say, texts

ROOT = Path(__file__).parents[2]
WEB = ROOT / "api" / "web"
STYLES = sorted(WEB.glob("static/*.css"))
DRAWN = sorted([*WEB.glob("charts/*.py"), *WEB.glob("templates/*.html"), *WEB.glob("pages/*.py"), *WEB.glob("*.py"), *WEB.glob("static/*.js")])
OWN = {"--on-light", "--on-dark"}  # text on the bands' fills; the look gives the colours and no names
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\b|#[0-9A-Fa-f]{3}\b|\b(?:rgba?|hsla?|oklch)\(")
TOKEN = re.compile(r"(--[a-z0-9-]+)\s*:\s*([^;]+);")


@pytest.fixture(scope="module")
def look(shared_dir: Path) -> Path:
    folder = shared_dir / "look"
    if not folder.is_dir():
        pytest.skip("the look is not beside this checkout")
    return folder


@pytest.fixture(scope="module")
def readme(look: Path) -> str:
    return (look / "README.md").read_text("utf-8")


def tokens(css: str) -> dict[str, dict[str, str]]:
    """Custom properties of the root, light and dark, without comments."""
    plain = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    dark = re.search(r"prefers-color-scheme: dark\)\s*\{\s*:root\s*\{(.*?)\}", plain, re.S)
    light = re.search(r":root\s*\{(.*?)\}", plain, re.S)
    return {mode: dict(TOKEN.findall(found[1])) if found else {} for mode, found in (("light", light), ("dark", dark))}


def without_tokens(css: str) -> str:
    return re.sub(r":root\s*\{.*?\}", "", re.sub(r"/\*.*?\*/", "", css, flags=re.S), flags=re.S)


def test_the_colours_are_those_of_the_look(look: Path) -> None:
    """Each token has a name of the look and its colour there, in light and in dark."""
    theirs = tokens((look / "tokens.css").read_text("utf-8"))
    colours = set(re.findall(r"#[0-9A-F]{6}", (look / "tokens.css").read_text("utf-8")))
    assert STYLES
    for style in STYLES:
        ours = tokens(style.read_text("utf-8"))
        for mode in ("light", "dark"):
            assert ours[mode].keys() - OWN <= theirs[mode].keys()
            coloured = {name: value for name, value in ours[mode].items() if value.startswith("#")}
            assert {n: v for n, v in coloured.items() if n not in OWN} == {n: theirs[mode][n] for n in coloured if n not in OWN}
            assert set(coloured.values()) <= colours


def test_every_token_used_is_defined() -> None:
    """Styles, charts and pages name no token that the style sheet does not define."""
    defined = set(chain.from_iterable(tokens(s.read_text("utf-8"))["light"] for s in STYLES))
    for file in [*STYLES, *DRAWN]:
        used = set(re.findall(r"var\((--[a-z0-9-]+)", file.read_text("utf-8"))) - {"--s"}  # the charts put a band's number after it
        assert used <= defined, file.name
    assert {f"--s{i}" for i in range(5)} <= defined


def test_no_colour_outside_the_tokens() -> None:
    """No literal colour in rules, charts or pages: dark mode and print then follow everywhere. The browser's own bar is told in the head of a page."""
    for style in STYLES:
        assert COLOUR.findall(without_tokens(style.read_text("utf-8"))) == [], style.name
    for file in DRAWN:
        text = "\n".join(line for line in file.read_text("utf-8").splitlines() if "theme-color" not in line)
        if file.suffix == ".html":
            text = re.sub(r"&#\w+;|href=\"[^\"]*\"", "", text)
        assert COLOUR.findall(text) == [], file.name


def test_files_without_tokens_use_the_colours_of_the_look(look: Path) -> None:
    """Icon, manifest and the browser's bar cannot name tokens, so they hold the look's colours."""
    colours = set(re.findall(r"#[0-9A-F]{6}", (look / "tokens.css").read_text("utf-8")))
    for file in [*WEB.glob("static/*.svg"), *WEB.glob("static/*.json"), *WEB.glob("templates/*.html")]:
        lines = [line for line in file.read_text("utf-8").splitlines() if file.suffix != ".html" or "theme-color" in line]
        assert {c.upper() for c in re.findall(r"#[0-9A-Fa-f]{6}\b", "\n".join(lines))} <= colours, file.name


def test_bands_have_the_words_fills_and_shapes_of_the_look(readme: str) -> None:
    """The table of colours: each band's word in both languages, its fill, and the traffic sign that is drawn for it."""
    rows = re.findall(r"^\| (?:< 0\.5|0\.5–1|1–2|2–4|> 4|unknown|stale) \| (.+?) \| (.+?) \| (.+?) \|", readme, re.M)
    assert len(rows) == 7
    ours = tokens(STYLES[0].read_text("utf-8"))["light"]
    for kind, (names, sign, fill) in zip((0, 1, 2, 3, 4, "unknown", "stale"), rows, strict=True):
        assert isinstance(kind, int | str)
        assert names == f"{say('vi', f'band.{kind}')} / {say('en', f'band.{kind}')}"
        assert form(shape(kind, 24)) == re.split(r"[, ]+[^a-z]*$|,", sign)[0].strip()  # type: ignore[arg-type]  # the seven kinds
        if isinstance(kind, int):
            assert fill == f"`{ours[f'--s{kind}']}`"


def form(svg: str) -> str:
    """What a shape is, by its outline."""
    outline = re.findall(r' d="(.+?)"', svg)[0]
    arcs, corners = len(re.findall("[aA]", outline)), 1 + len(re.findall("[lLhHvV]", outline))
    if arcs:
        return ("dashed circle" if "dasharray" in svg else "circle") if corners == 1 else "square"
    return {3: "triangle", 4: "diamond", 8: "octagon"}[corners]


def grams(value: float, decimals: int = 1) -> dict[str, str]:
    return {lang: number(value, decimals, lang, unit="g/L") for lang in ("vi", "en")}


NOW = 1_772_670_240_000  # 5 March 2026, 7:24 in Việt Nam, the day of the look's examples
HOUR = 3_600_000
ZONE = "Asia/Ho_Chi_Minh"
SAME = str | int

# What the look's examples say, by key and placeholder: made by our own functions where they make such things.
EXAMPLES: dict[str, dict[str, SAME | dict[str, str]]] = {
    "until": {"when": {lang: hour_words(NOW + 7 * HOUR - 24 * 60_000, NOW, ZONE, lang) for lang in ("vi", "en")}},
    "window": {"when": {"vi": "chiều nay 14–18 giờ", "en": "this afternoon, 2–6 pm"}},
    "window.none": {"days": 3},
    "measured": {"value": grams(3.2), "time": "7:10"},
    "forecast": {"value": grams(5, 0), "time": {"vi": "9 giờ", "en": "9:00"}},
    "silent": {"hours": 9, "value": grams(2.7)},
    "stale": {"age": {lang: age(220 * 60_000, lang) for lang in ("vi", "en")}},
    "offline": {"time": "7:20"},
    "alert.holds": {"hours": {"vi": "8–14 giờ", "en": "8:00–14:00"}},
    "alert.update": {"old": {"vi": "4,4", "en": "4.4"}, "new": grams(5, 0)},
    "allclear": {"place": "Kênh Lầu", "value": grams(0.7), "time": "15:10", "until": {"vi": "18 giờ", "en": "18:00"}},
    "trust": {"cleaned": {"vi": "2/3", "en": "2 March"}, "right": 83},
    "report.sent": {"when": {lang: hour_words(NOW + 24 * HOUR - 24 * 60_000, NOW, ZONE, lang) for lang in ("vi", "en")}},
    "sms": {"place": "Kenh Lau", "hours": "8-14h", "value": "3,2 g/L", "time": "7:10", "peak": "5", "window": "14-18h"},
}


def words_of(readme: str) -> list[tuple[str, str, str]]:
    """The rows of the table of words: key, Vietnamese, English; a pair of keys makes two rows."""
    table = readme.split("## Words", 1)[1].split("\n## ", 1)[0]
    found = []
    for line in re.findall(r"^\| (.+) \|$", table, re.M):
        keys, vi, en = (cell.strip() for cell in line.split(" | "))
        if keys == "Key":
            continue
        keys = re.sub(r" \(.*\)$", "", keys)
        several = keys.split(" / ")
        names = [key if key in texts("vi") else f"{several[0].rsplit('.', 1)[0]}.{key}" for key in several]
        parts = zip(names, vi.split(" / ") if len(names) > 1 else [vi], en.split(" / ") if len(names) > 1 else [en], strict=True)
        found.extend(parts)
    return found


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_word_of_the_look_is_said_under_its_key(readme: str, lang: str) -> None:
    """Filled with the examples' values, our texts are the look's, letter by letter."""
    rows = words_of(readme)
    assert len(rows) == 39
    for key, vi, en in rows:
        theirs = {"vi": vi, "en": en}[lang]
        if theirs == "–":
            continue
        values = {name: value[lang] if isinstance(value, dict) else value for name, value in EXAMPLES.get(key, {}).items()}
        assert say(lang, key, **values).replace(NBSP, " ") == theirs, key


def test_the_date_of_the_look() -> None:
    """The line under the name on every mock-up."""
    assert str(date_header(NOW, ZONE, "vi")) == "Thứ Năm 5/3 · 17 tháng Giêng · nước rong"
    assert band_word(3, "vi") == "Mặn"
