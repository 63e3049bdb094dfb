"""When water may be taken: the hours ahead in which salinity stays at or under a limit with a stated probability. Pure, as the verdict is.

Nothing here judges the water now: that is the verdict's, which is handed in. Where it is unknown, or had no forecast, there is no window.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.risk import Risk
from core.verdict import Verdict, WaterState, forbids

PROMISED = 0.9  # a window is said where P(S ≤ limit) is at least so high in each of its hours
AHEAD_H = 72
_DEFAULT = Risk()
KNOWN = ("take", "measure", "wait", "stop")  # from the best to the worst; every other word, `unknown` first, offers nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """start ≤ t < end [ms], whole hours; `p` is the least P(S ≤ limit) of its hours; `quantiles` of the hour with the lowest median [g/L]."""

    start: int
    end: int
    p: float
    quantiles: tuple[float, ...]

    @property
    def median(self) -> float:
        """What is likeliest in its freshest hour [g/L]."""
        return self.quantiles[MEDIAN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of the next 72 h in order, by the limit of `verdict`.

    `reason` is the verdict's (stale | silent | suspect | fault | no_data) or `no_forecast` where none may be said, and `ok` where the hours were
    looked at, also where none is sure enough. `until` [ms]: how far ahead they could be looked at, None where they were not.
    """

    windows: tuple[Window, ...] = ()
    reason: str
    verdict: Verdict
    promised: float
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    """One sound hour of a forecast; `p` is P(S ≤ limit)."""

    start: int
    p: float
    quantiles: tuple[float, ...]


def tenths(p: float) -> int:
    """A probability in full parts of ten, as it is told: never rounded up, never ten."""
    return min(9, math.floor(p * 10 + 1e-9))


def withheld(verdict: Verdict) -> str:
    """Why nothing may be said of the hours ahead under this verdict; empty where something may."""
    if verdict.verdict not in KNOWN:
        return "no_data" if verdict.reason == "ok" else verdict.reason
    return "no_forecast" if verdict.p is None else ""  # none, too old, or not sound in the hours that come first: as the verdict sees it


def windows(water: WaterState, verdict: Verdict, forecast: Forecast | None, now: int, *, promised: float = PROMISED, risk: Risk = _DEFAULT) -> Windows:
    """The hours from `now` [ms] on that hold P(S ≤ limit) ≥ `promised`; `verdict` is the one of this water, forecast and moment, and gives the limit.

    An hour that is not in the forecast, or that is not sound there, ends a window. The hour that runs is not offered where the verdict says stop or
    wait, nor where a reading that still waits for the judge, or a check probe's, is at the limit: what is measured contradicts what was forecast.
    """
    why = withheld(verdict)
    if why or forecast is None:
        return Windows(reason=why or "no_forecast", verdict=verdict, promised=promised)
    hours = _hours(forecast, verdict.limit, now)
    running = now - now % HOUR_MS
    is_barred = verdict.verdict in ("wait", "stop") or forbids(water, verdict.limit, risk=risk)
    offered = [h for h in hours if h.p >= promised and h.quantiles[MEDIAN] < verdict.limit and not (is_barred and h.start == running)]
    found = tuple(_window(run) for run in _runs(offered))
    return Windows(windows=found, reason="ok", verdict=verdict, promised=promised, until=hours[-1].start + HOUR_MS if hours else None)


def _hours(forecast: Forecast, limit: float, now: int) -> list[_Hour]:
    """The sound whole hours of the next 72, in order; of an hour that is forecast twice the worse chance and the saltier course."""
    first = now - now % HOUR_MS
    above = bisect_left(LINES, limit)  # the first line at the limit or over it
    worst: dict[int, _Hour] = {}
    for i, start in enumerate(forecast.times):
        if start % HOUR_MS or not first <= start < first + AHEAD_H * HOUR_MS:
            continue
        over = forecast.exceedance(i, limit)
        if math.isnan(over):
            continue
        # a forecast that contradicts itself may state a higher line as passed more often than this limit: the worse counts
        over = max(over, *forecast.p_gt[i][above:], 0.0)
        hour, twin = _Hour(start=start, p=1.0 - over, quantiles=forecast.quantiles[i]), worst.get(start)
        if twin is not None:
            hour = replace(hour, p=min(hour.p, twin.p), quantiles=max(hour.quantiles, twin.quantiles, key=lambda q: q[MEDIAN]))
        worst[start] = hour
    return [worst[start] for start in sorted(worst)]


def _runs(hours: list[_Hour]) -> Iterator[list[_Hour]]:
    run: list[_Hour] = []
    for hour in hours:
        if run and hour.start != run[-1].start + HOUR_MS:
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _window(run: list[_Hour]) -> Window:
    freshest = min(run, key=lambda h: h.quantiles[MEDIAN])
    return Window(start=run[0].start, end=run[-1].start + HOUR_MS, p=min(h.p for h in run), quantiles=freshest.quantiles)
