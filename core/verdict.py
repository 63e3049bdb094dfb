"""The verdict: **the only place that may say safe**. Page, API, webhook and terminal print what it returns.

"Safe" (`take`) needs fresh, good data *and* a forecast; "do not" (`stop`, `wait`) needs fresh, good data only; without such
data the verdict is `unknown`, whose words already say *đừng lấy*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from core.bands import band
from core.clock import AHEAD_MS, rfc3339
from core.flags import Flag
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.highest import covered, highest_chance
from core.risk import Risk
from core.state import Latest
from core.told import is_told

UNIT = "g/L"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterState:
    """What is known of the salinity at one point: its newest stored and newest judged reading [g/L], and its interval [s].

    `failing`: the newest one is no salinity but the conductivity that came after the last: suspect or failing, its value NaN.
    `others`: what else is measured there and does not fail: by a check probe, by another number of the same probe that was sent apart.
    """

    newest: Latest | None = None
    judged: Latest | None = None
    interval_s: float | None = None
    failing: bool = False
    others: tuple[Latest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do, why, and until when. Times in ms; `p` the highest P(S > limit) of the next hours, None without a forecast.

    `verdict`: take | measure | wait | stop | unknown. `reason`: ok | stale | silent | suspect | fault | no_forecast | no_data.
    `config` is the hash of the numbers it was judged by.
    """

    verdict: str
    reason: str
    band: int | None
    as_of: int | None
    until: int | None
    p: float | None
    limit: float
    unit: str = UNIT
    config: str = ""


def shape(v: Verdict) -> dict[str, object]:
    """The verdict object as API, webhook and `--json` carry it; times RFC 3339."""
    return {
        "verdict": v.verdict,
        "reason": v.reason,
        "band": v.band,
        "as_of": None if v.as_of is None else rfc3339(v.as_of),
        "until": None if v.until is None else rfc3339(v.until),
        "p": None if v.p is None else round(v.p, 3),
        "limit": v.limit,
        "unit": v.unit,
        "config": v.config,
    }


_DEFAULT = Risk()


def verdict(state: WaterState, forecast: Forecast | None, limit: float | None, now: int, *, risk: Risk = _DEFAULT) -> Verdict:
    """Judge the water at a point at `now` [ms] by `limit` [g/L] (None = the configured one).

    Raises ValueError for a limit that is no number above 0.
    """
    bound = risk.limit if limit is None else float(limit)
    if not (math.isfinite(bound) and bound > 0):
        raise ValueError(f"limit {limit!r} must be a number above 0 [g/L]")
    why = _unfit(state, now, risk)
    if why:
        last = state.judged or state.newest
        return Verdict(verdict="unknown", reason=why, band=None, as_of=last.time if last else None, until=None, p=None, limit=bound, config=risk.hash)
    assert state.judged is not None  # noqa: S101 _unfit says so
    value = state.judged.value
    hours = _Hours.of(forecast, bound, now, risk)
    p = hours.chance(now) if hours else None
    found = _decide(value, p, bound, risk)
    if found == "take" and forbids(state, risk.take_below * bound, risk=risk):
        found = "measure"
    until = None
    if hours is not None and p is not None:
        until = next((start for start, median, chance, _ in hours.later(now) if _decide(median, chance, bound, risk) != found), None)
    reason = "no_forecast" if p is None and found == "measure" else "ok"
    return Verdict(verdict=found, reason=reason, band=band(value), as_of=state.judged.time, until=until, p=p, limit=bound, config=risk.hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An hour that begins after now [ms]: `then` the verdict it would get, with the hours after it; `alone` that of its own water alone."""

    start: int
    then: str
    alone: str


def coming(forecast: Forecast | None, limit: float, now: int, *, risk: Risk = _DEFAULT) -> tuple[Coming, ...]:
    """The hours `until` is looked for in, by the limit of a verdict; none where a verdict would have no forecast."""
    hours = _Hours.of(forecast, limit, now, risk)
    if hours is None:
        return ()
    found = hours.later(now)
    return tuple(Coming(start=t, then=_decide(median, ahead, limit, risk), alone=_decide(median, own, limit, risk)) for t, median, ahead, own in found)


def holds_until(state: WaterState, now: int, *, risk: Risk = _DEFAULT) -> int | None:
    """Until when [ms] the newest judged value may be believed, if nothing else becomes known; None where it may not be at `now`."""
    if state.judged is None or _unfit(state, now, risk):
        return None
    return state.judged.time + risk.stale_after_ms(_interval_s(state, risk))


def forbids(state: WaterState, below: float, *, risk: Risk = _DEFAULT) -> bool:
    """Whether a reading that may not say safe says that it is not, by not being under `below` [g/L].

    That is one which waits for the judge, and whatever else is measured there and was fresh when the judged one was: of two that contradict each other
    nobody knows which is wrong. No time that passes makes it safe, only another reading.
    """
    newest, judged = state.newest, state.judged
    said = [newest] if newest is not None and (judged is None or newest.time >= judged.time) else []
    said += [r for r in state.others if judged is None or judged.time - r.time <= risk.stale_after_ms(_interval_s(state, risk))]
    return not all(math.isfinite(r.value) and r.value < below for r in said)


def _interval_s(state: WaterState, risk: Risk) -> float:
    return state.interval_s if state.interval_s is not None and state.interval_s > 0 else risk.interval_s


def _unfit(state: WaterState, now: int, risk: Risk) -> str:
    """Why no verdict may be given, or nothing."""
    interval = _interval_s(state, risk)
    judged = state.judged
    last = max((r.time for r in (state.newest, judged) if r is not None), default=None)
    if last is None:
        return "no_data"
    if now - last >= risk.silent_after_ms(interval):
        return "silent"
    for reading in (judged, state.newest):  # a newer one that is not judged yet may be bad already
        if reading is not None and (judged is None or reading.time >= judged.time):
            if reading.flag == Flag.FAIL:
                return "fault"
            if reading.flag == Flag.SUSPECT:
                return "suspect"
    if judged is None or judged.flag != Flag.GOOD or not math.isfinite(judged.value) or judged.value < 0:
        return "no_data"
    if not -AHEAD_MS <= now - judged.time <= risk.stale_after_ms(interval):
        return "stale"
    return ""


def _decide(value: float, p: float | None, limit: float, risk: Risk) -> str:
    """The first that holds."""
    if value >= risk.stop_from * limit:
        return "stop"
    if value >= limit or (p is not None and p >= risk.wait_p):
        return "wait"
    if p is not None and p <= risk.take_p and value < risk.take_below * limit:
        return "take"
    return "measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hours:
    """The hours of a forecast: start [ms], median [g/L], P(S > limit)."""

    rows: tuple[tuple[int, float, float], ...]
    ahead_ms: int
    until_ms: int

    @classmethod
    def of(cls, forecast: Forecast | None, limit: float, now: int, risk: Risk) -> _Hours | None:
        if forecast is None or forecast.target != "hour" or not is_told(forecast, now, risk.forecast_max_age_h):
            return None
        ahead, until = round(risk.ahead_h * HOUR_MS), round(risk.until_h * HOUR_MS)
        wanted = ((i, start) for i, start in enumerate(forecast.times) if now - HOUR_MS < start < now + until + ahead)
        rows = tuple((start, forecast.quantiles[i][MEDIAN], forecast.exceedance(i, limit)) for i, start in wanted)
        return cls(rows=tuple(sorted(rows)), ahead_ms=ahead, until_ms=until)

    def chance(self, since: int) -> float | None:
        """The highest chance of the hours that touch [since, since + ahead); None where these do not cover it."""
        until = since + self.ahead_ms
        inside = [(start, p) for start, _, p in self.rows if start + HOUR_MS > since and start < until]
        p = highest_chance(p for _, p in inside)
        return p if math.isfinite(p) and covered((start for start, _ in inside), since, until) else None

    def later(self, now: int) -> Iterator[tuple[int, float, float, float]]:
        """The hours that begin after `now`: start, median, the chance of the hours from there on, as far as these are covered, and its own."""
        for start, median, own in self.rows:
            if now < start < now + self.until_ms:
                chance = self.chance(start)
                if chance is None or not math.isfinite(median):
                    return
                yield start, median, chance, own
