"""The words and the table beside the chart of a week."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from api.web.charts.runs import Runs
from api.web.words import date_words, midnight, value_text
from core.forecast import MEDIAN, Forecast
from core.texts import NO_NUMBER, number, say

Coming = Sequence[tuple[int, tuple[float, ...]]]  # start of the interval [ms], its quantiles [g/L]


def ahead_of(forecast: Forecast | None, now: int, span: int) -> list[tuple[int, tuple[float, ...]]]:
    """The intervals of `span` ms that are not over, in order, without those that hold no numbers."""
    if forecast is None:
        return []
    rows = sorted(zip(forecast.times, forecast.quantiles, strict=True))
    return [(start, q) for start, q in rows if start + span > now and all(math.isfinite(v) for v in q)]


def sentence(found: Runs, days: Coming, *, timezone: str, lang: str) -> str:
    """What the picture says, and how to read it."""
    good = [v for line in found.lines for _, v in line]
    said = [
        say(lang, "chart.week.measured", low=value_text(min(good), lang, unit=""), high=value_text(max(good), lang)) if good else say(lang, "chart.week.none")
    ]
    if days:
        top = max(days, key=lambda r: r[1][MEDIAN])
        said.append(say(lang, "chart.week.highest", days=len(days), high=value_text(top[1][MEDIAN], lang), day=date_words(top[0], timezone, lang)))
        said.append(say(lang, "chart.week.how.days"))
    else:
        said.append(f"{say(lang, 'sure.none')}.")
    return " ".join(said)


def rows(found: Runs, days: Coming, *, timezone: str, lang: str) -> tuple[tuple[str, ...], ...]:
    """A row a local day: lowest and highest as measured; of what is forecast the interval its highest value lies in 9 times out of 10."""
    measured: defaultdict[int, list[float]] = defaultdict(list)
    for line in found.lines:
        for at, value in line:
            measured[midnight(at, timezone)].append(value)
    written = [
        (date_words(day, timezone, lang), value_text(min(v), lang), value_text(max(v), lang), say(lang, "chart.measured"))
        for day, v in sorted(measured.items())
    ]
    written += [(date_words(day, timezone, lang), NO_NUMBER, value_text(q[MEDIAN], lang), range_text(q, lang)) for day, q in days]
    return tuple(written)


def range_text(q: tuple[float, ...], lang: str) -> str:
    """`2,1–5,3 g/L`."""
    return f"{number(q[0], 1, lang)}–{value_text(q[-1], lang)}"
