"""The river diagram: places by km, colour between good stations only, names that never meet."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import MOST_BYTES, SVG, check, read, words

from api.web.charts.chart import Chart
from api.web.charts.river import LETTER_PX, RiverNow, Stop, river
from core.reach import StationMax, reach
from core.texts import LANGUAGES

HAU_GIANG = [
    ("Xẻo Rô", 8, 16.0),
    ("Gò Quao", 32, 7.1),
    ("Ngã ba Nước Trong", 35.5, 4.9),
    ("Cống Kênh Lầu", 37, 3.2),
    ("Ba Cô", 40, 2.3),
    ("Hóc Pó", 41, None),
    ("Kênh Năm", 44, 0.8),
    ("Cầu Cái Tư", 55, 0.4),
]


def river_of(stops: list[tuple[str, float, float | None]], *, name: str = "Sông Cái Lớn", sea: str = "Biển Tây", start_km: float = 0) -> RiverNow:
    known = [StationMax(station=n, km=km, value=v) for n, km, v in stops]
    return RiverNow(
        name=name,
        sea=sea,
        length_km=max([80.0, *(km for _, km, _ in stops)]),
        stops=tuple(Stop(name=n, km=km, value=v) for n, km, v in stops),
        reaches=tuple(reach(known, line) for line in (4.0, 1.0)),
        start_km=start_km,
    )


def draw(*rivers: RiverNow, lang: str = "vi", most: int = MOST_BYTES) -> Chart:
    chart = river(rivers, lang=lang)
    check(chart, most=most)
    return chart


def fills(picture: ET.Element) -> list[str]:
    """Of the water, from the sea up."""
    return [p.get("fill", "") for p in picture.iter(f"{SVG}path") if p.get("fill", "").startswith("var(--s")]


def names(picture: ET.Element) -> list[tuple[float, float, float]]:
    """Left, right and base line of each station's name with its value, as wide as it is reckoned."""
    found = []
    for t in picture.iter(f"{SVG}text"):
        value = t.find(f"{SVG}tspan")
        if value is not None:
            left = float(t.get("x", "0"))
            found.append((left, left + LETTER_PX * len(f"{t.text}{value.text}"), float(t.get("y", "0"))))
    return found


def leaders(picture: ET.Element) -> list[tuple[float, float]]:
    """Place and lower end of the line from each stop to its name."""
    path = next(p.get("d", "") for p in picture.iter(f"{SVG}path") if p.get("stroke") == "var(--ink-2)" and p.get("d", "").count("M") == len(names(picture)))
    return [(float(x), float(y) + float(down)) for x, y, down in re.findall(r"M([\d.]+) ([\d.]+)l0 ([\d.]+)", path)]


def test_what_a_script_may_withdraw() -> None:
    """Colours, flags and values of a waterway are parts; under them lie stripes and the words that then stand there; who labels it is named."""
    stops = [("An", 10.0, 5.0), ("Ba", 30.0, 0.4)]
    chart = river([replace(river_of(stops), lasts=(1000, 3_600_000)), river_of(stops, name="Kênh Năm")], lang="vi", labelled_by="said")
    for picture in read(chart.svg):
        assert (picture.get("aria-labelledby"), picture.get("aria-label")) == ("said", None)
        (way,) = (g for g in picture.iter(f"{SVG}g") if g.get("data-good-for"))
        assert (way.get("data-as-of"), way.get("data-good-for")) == ("1000", "3600000")
        left = [part for part in way if part.get("data-part") != "ahead"]
        drawn = "".join(ET.tostring(part, encoding="unicode") for part in left)
        assert "var(--s" not in drawn
        assert "var(--hatch" in drawn
        assert {t.text for part in left for t in part.iter(f"{SVG}text")} == {"Sông Cái Lớn", "từ Biển Tây", "An", "Ba", "số cũ, chưa rõ mặn tới đâu"}
        assert all(t.get("data-part") == "ahead" for part in left for t in part.iter(f"{SVG}tspan"))
    assert "số cũ" not in "".join(words(river([river_of(stops)], lang="vi").svg))


def test_two_layouts_say_the_same() -> None:
    """A phone's and a desk's, each with every station, its value, and both flags."""
    chart = draw(river_of(HAU_GIANG))
    phone, desk = read(chart.svg)
    assert (phone.get("class"), desk.get("class")) == ("chart river up", "chart river across")
    for picture in (phone, desk):
        assert len(names(picture)) == 8
        drawn = [t.text for t in picture.iter(f"{SVG}text")]
        assert {"4 g/L: km 36".replace(" g", "\u00a0g"), "1 g/L: km 43".replace(" g", "\u00a0g"), "Sông Cái Lớn", "từ Biển Tây"} <= set(drawn)
    assert chart.sentence.startswith("Sông Cái Lớn: 4\u00a0g/L: km 36; 1\u00a0g/L: km 43.")
    assert chart.rows[2] == ("Sông Cái Lớn", "Ngã ba Nước Trong", "35,5", "4,9\u00a0g/L", "Rất mặn")
    assert chart.rows[5] == ("Sông Cái Lớn", "Hóc Pó", "41", "–", "Chưa rõ")


def test_colour_only_between_good_stations() -> None:
    """From the sea: stripes, bands as the lines cross, stripes over the silent station, bands again, stripes beyond the last."""
    phone, _ = read(draw(river_of(HAU_GIANG)).svg)
    assert fills(phone) == [f"var(--s{b})" for b in (4, 4, 4, 3, 3, 1, 0)]
    stripes = [s for s in phone.iter(f"{SVG}svg") if s is not phone]
    assert len(stripes) == 3


def test_colour_turns_where_the_flag_stands() -> None:
    """The 4 g/L flag's pole and the end of the darkest water are one place."""
    _, desk = read(draw(river_of([("A", 10, 8.0), ("B", 50, 2.0)])).svg)
    dark = next(p.get("d", "") for p in desk.iter(f"{SVG}path") if p.get("fill") == "var(--s4)")
    end = float(dark.split("H")[1].split("V")[0])
    poles = [p.get("d", "") for p in desk.iter(f"{SVG}path") if p.get("stroke-width") == "2" and p.get("stroke") == "var(--ink)"]
    assert any(math.isclose(float(d[1:].split(" ")[0]), end, abs_tol=0.11) for d in poles if d.startswith("M") and "c" not in d)


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        ([("A", 3, 6.0), ("B", 12, 5.0)], "quá km 12"),
        ([("A", 9, 0.2), ("B", 12, 0.1)], "dưới km 9"),
        ([("A", 3, None), ("B", 12, None)], "chưa rõ"),
    ],
)
def test_lines_beyond_the_stations(stops: list[tuple[str, float, float | None]], said: str) -> None:
    """Beyond the last station, seaward of the first, or unknown: said, never guessed, and drawn on no water of its own."""
    chart = draw(river_of(stops))
    assert sum(said in w for w in words(chart.svg)) == 4  # two lines, two layouts
    if said == "chưa rõ":
        assert fills(read(chart.svg)[0]) == []


def test_nothing_to_show() -> None:
    """Waterways without stations are left out; without any there is a sentence and no picture."""
    assert draw().svg == ""
    assert draw(RiverNow(name="Kênh", sea="", length_km=10, stops=())).sentence == "Chưa có trạm nào trên sông, kênh."


def test_a_canal_starts_where_it_leaves_its_river() -> None:
    """Its km are its own, its place is that of the join."""
    chart = draw(river_of(HAU_GIANG), river_of([("Vị Thanh", 12, 0.7)], name="Kênh Xà No", sea="", start_km=45))
    _, desk = read(chart.svg)
    canal = next(t for t in desk.iter(f"{SVG}text") if t.text == "Kênh Xà No")
    assert float(canal.get("x", "0")) > 300
    assert ("Kênh Xà No", "Vị Thanh", "12", "0,7\u00a0g/L", "Hơi lợ") in chart.rows


LETTERS = st.text("aăâbcdđeêghiklmnoôơpqrstuưvxy ", min_size=1, max_size=18).map(lambda s: s.strip() or "a")
STOPS = st.lists(st.tuples(LETTERS, st.floats(0, 220), st.none() | st.floats(0, 40) | st.just(math.nan)), min_size=1, max_size=14)


@settings(max_examples=60)
@given(STOPS, st.sampled_from(LANGUAGES))
def test_no_two_names_meet(stops: list[tuple[str, float, float | None]], lang: str) -> None:
    """Law: wherever stations stand, no two names overlap, none leaves the picture, none crosses another's leader."""
    for picture in read(draw(river_of(stops), lang=lang, most=20_000).svg):
        width = float(picture.get("viewBox", "").split()[2])
        boxes = names(picture)
        assert len(boxes) == len(stops)
        assert all(left >= 0 and right <= width + 0.5 for left, right, _ in boxes)
        assert all(a[2] != b[2] or a[1] <= b[0] + 0.2 or b[1] <= a[0] + 0.2 for a, b in combinations(boxes, 2))
        for x, end in leaders(picture):
            assert not [b for b in boxes if b[0] + 0.2 < x < b[1] - 4.2 and b[2] - 8 < end]


@settings(max_examples=40)
@given(st.lists(STOPS, max_size=3))
def test_any_rivers(rivers: list[list[tuple[str, float, float | None]]]) -> None:
    """Law: whatever stands where, the pictures are whole."""
    draw(*(river_of(stops, name=f"Sông {i}") for i, stops in enumerate(rivers)), most=30_000)


def test_eight_stations_within_ten_km_on_a_phone() -> None:
    """Eight names close together stand apart, in 12 kB a layout."""
    chart = draw(river_of([(f"Trạm số {i}", 40 + 1.4 * i, 5 - 0.6 * i) for i in range(8)]))
    phone = read(chart.svg)[0]
    assert len({y for *_, y in names(phone)}) == 8
