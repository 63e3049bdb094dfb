"""The words and the table beside the chart of a week."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from api.web.charts.runs import Runs
from api.web.words import date_words, hour_words, may_reach, midnight, value_text
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.texts import NO_NUMBER, number, say

Coming = Sequence[tuple[int, tuple[float, ...]]]  # start of the interval [ms], its quantiles [g/L]
DAY_MS = 24 * HOUR_MS


def ahead_of(forecast: Forecast | None, now: int, span: int) -> list[tuple[int, tuple[float, ...]]]:
    """The intervals of `span` ms that are not over, in order, without those that hold no numbers."""
    if forecast is None:
        return []
    rows = sorted(zip(forecast.times, forecast.quantiles, strict=True))
    return [(start, q) for start, q in rows if start + span > now and all(math.isfinite(v) for v in q)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The coming local days with the quantiles of their highest value; of those that begin at `whole` [ms] the hours tell too, from end to end.

    `are_hours`: they are the newer source of these. `issued` [ms]: the days' issue.
    """

    rows: Coming = ()
    whole: frozenset[int] = frozenset()
    are_hours: bool = True
    issued: int = 0

    @property
    def hourly(self) -> int:
        """How many days the hours tell."""
        return len(self.whole) if self.are_hours else 0

    def told_twice(self) -> dict[int, tuple[float, ...]]:
        """Of the days that days and hours tell, by their start: what every table of a page says of them, lest two ranges are told of one day."""
        return {start: q for start, q in self.rows if start in self.whole}


def days_ahead(days: Forecast | None, hours: Forecast | None, now: int, timezone: str) -> Days:
    """Of a forecast of days and one of hours: of a day that both tell whole the newer one is the source, lest two numbers are told.

    That are the hours while they are not an hour older: they know what was measured since the days were issued, and the reader sees them on the chart
    above. Their ends are each hour's, the day's may lie farther: the bar holds both. Of a day they reach only in part the highest is never under theirs;
    the day that runs is theirs alone. Older ones change nothing of the days.
    """
    rows = ahead_of(days, now, DAY_MS)
    coming = ahead_of(hours, now, HOUR_MS)
    if days is None or hours is None or not coming:
        return Days(rows=rows, issued=days.issued_at if days is not None else 0)
    are_hours = hours.issued_at > days.issued_at - HOUR_MS
    told, both = [], set()
    for start, q in rows:
        if are_hours and start <= now:
            continue
        end = midnight(start, timezone, 1)
        inside = [row for row in coming if start <= row[0] < end]
        whole = bool(inside) and all(b - a <= 2 * HOUR_MS for a, b in pairwise([start - HOUR_MS, *(row[0] for row in inside), end]))
        both |= {start} if whole else set()
        if inside and are_hours:
            top = tuple(max(values) for values in zip(*(row[1] for row in inside), strict=True))
            q = (min(top[0], q[0]), *top[1:-1], max(top[-1], q[-1])) if whole else tuple(map(max, top, q))
        told.append((start, q))
    return Days(rows=told, whole=frozenset(both), are_hours=are_hours, issued=days.issued_at)


def sentence(found: Runs, days: Days, *, old: int | None = None, now: int, timezone: str, lang: str) -> str:
    """What the picture says, from when that is, and how to read it; of days whose newest issue is `old` [ms] nothing but that."""
    good = [v for line in found.lines for _, v in line]
    said = [
        say(lang, "chart.week.measured", low=value_text(min(good), lang, unit=""), high=value_text(max(good), lang)) if good else say(lang, "chart.week.none")
    ]
    if days.rows:
        top = max(days.rows, key=lambda r: r[1][MEDIAN])
        said.append(say(lang, "chart.week.highest", days=len(days.rows), high=value_text(top[1][MEDIAN], lang), day=date_words(top[0], timezone, lang)))
        said += filter(None, [may_reach(top[1][MEDIAN], max(q[-1] for _, q in days.rows), lang)])
        said.append(say(lang, "chart.week.issued", time=hour_words(days.issued, now, timezone, lang)))
        if days.hourly:
            said.append(say(lang, "chart.week.hourly", days=days.hourly))
        elif days.whole:
            said.append(say(lang, "chart.week.daily"))
        said.append(say(lang, "chart.week.how.days"))
    elif old is not None:
        said.append(say(lang, "chart.week.old", time=hour_words(old, now, timezone, lang)))
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
