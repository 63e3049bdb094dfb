"""Salt in the soil as a picture: spans as measured, gaps not joined, nothing ahead that is not known, ink alone."""

from __future__ import annotations

import math
import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, check, read, words

from api.web.charts.chart import Chart
from api.web.charts.soil import Days, soil

DAY = 86_400_000
NOW = 1_772_420_400_000  # 2 March 2026, ten o'clock in Việt Nam
TODAY = 1_772_384_400_000
ZONE = "Asia/Ho_Chi_Minh"


def depth(name: str = "10 cm", low: float = 2.0, high: float = 4.0, skip: tuple[int, ...] = ()) -> Days:
    starts = [TODAY - i * DAY for i in range(13, -1, -1) if i not in skip]
    return Days(name=name, starts=starts, low=[low] * len(starts), high=[high] * len(starts))


def ahead(low: float = 2.0, high: float = 5.0, days: int = 14) -> Days:
    return Days(name="", starts=[TODAY + (i + 1) * DAY for i in range(days)], low=[low] * days, high=[high] * days)


def draw(depths: list[Days], coming: Days | None = None, threshold: float | None = 3.0, lang: str = "vi") -> Chart:
    chart = soil(depths, coming, ["1/10"] * (len(coming.starts) if coming else 0), now=NOW, threshold=threshold, lang=lang, timezone=ZONE)
    check(chart)
    return chart


def test_everything_there() -> None:
    """Names of the depths, the line of now, what the crop bears, the scale; sentence and table say the spans."""
    chart = draw([depth(), depth("30 cm", 1.0, 3.0)], ahead())
    assert {"10 cm", "30 cm", "nay", "cây chịu tới 3\u00a0dS/m", "dS/m", "0", "2", "4", "17/2"} <= set(words(chart.svg))
    assert chart.sentence == "Ở 10 cm: 2,0–4,0\u00a0dS/m. Ở 30 cm: 1,0–3,0\u00a0dS/m. 14 ngày tới, vùng rễ: 2,0–5,0\u00a0dS/m."
    assert len(chart.head) == 5
    assert chart.rows[0] == ("17/2", "2,0–4,0", "1,0–3,0", "–", "–")
    assert chart.rows[-1] == ("16/3", "–", "–", "2,0–5,0", "1/10")
    assert len(chart.rows) == 28


@given(st.lists(st.floats(0, 80), min_size=1, max_size=4), st.floats(0.5, 60))
def test_no_words_lie_on_each_other(values: list[float], threshold: float) -> None:
    """Law: names of the depths, what the crop bears and the days stand apart, however near the lines are."""
    chart = draw([depth(f"{i}0 cm", v, v) for i, v in enumerate(values)], ahead(), threshold)
    found = {t.text or "": float(t.get("y", "0")) for t in read(chart.svg).iter(f"{SVG}text")}
    names = sorted(y for words, y in found.items() if words.endswith(" cm"))
    bears = next(y for words, y in found.items() if words.startswith("cây chịu tới"))
    assert all(b - a >= 13 for a, b in pairwise([bears, *names, found["17/2"]]))


def test_no_colour_of_a_band() -> None:
    """Those speak of water, and salt in the soil is another thing."""
    assert not re.search(r"--s\d|bands", draw([depth()], ahead()).svg)


def test_days_without_a_reading_are_not_joined() -> None:
    """The line breaks where three days are missing, and a day by itself is a dot."""
    whole, broken = draw([depth()]), draw([depth(skip=(4, 5, 6))])
    assert broken.svg.count("M", broken.svg.index("stroke-linejoin") - 400) > whole.svg.count("M", whole.svg.index("stroke-linejoin") - 400)
    alone = draw([depth(skip=tuple(range(1, 14)))])
    assert "<circle" in alone.svg
    assert "<circle" not in whole.svg


def test_unknown_days_ahead_are_not_drawn() -> None:
    """No band, and no figure, where nothing bounds what may come; the chance of the water is told all the same."""
    chart = draw([depth()], ahead(0.0, math.inf))
    assert "--silt" not in chart.svg
    assert "ngày tới" not in chart.sentence
    assert chart.rows[-1][-2:] == ("–", "1/10")


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_nothing_measured(lang: str) -> None:
    """Still a chart, which says so."""
    assert draw([], None, None, lang).sentence == {"vi": "Chưa có số đo đất.", "en": "The soil was not measured yet."}[lang]


@given(st.lists(st.tuples(st.floats(0, 80), st.floats(0, 80)), max_size=4), st.booleans(), st.one_of(st.none(), st.floats(0.5, 20)), st.integers(0, 9))
def test_any_soil_is_drawn_within_its_place(depths: list[tuple[float, float]], coming: bool, threshold: float | None, seed: int) -> None:
    """However salty, and whichever days are missing: well formed, light, no coordinate outside the picture."""
    chance = random.Random(seed)
    drawn = [depth(f"{i} cm", min(a, b), max(a, b), skip=tuple(chance.sample(range(14), chance.randrange(14)))) for i, (a, b) in enumerate(depths)]
    chart = draw(drawn, ahead(1.0, 70.0) if coming else None, threshold)
    for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", chart.svg):
        assert -1 <= float(x) <= 305
        assert -1 <= float(y) <= 176
