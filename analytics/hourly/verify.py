"""How good a model of hours is on a measured set: the water windows it promises, and the course itself, by hours ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analytics.daily.dataset import Dataset
from analytics.history import History, local_times
from analytics.hourly.features import OLDEST
from analytics.hourly.model import LEADS, FittedHours, HourModel, hour_models
from analytics.hourly.panel import Floats, Hourly, Index
from analytics.models.persistence import MODEL as PERSISTENCE
from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES
from core.highest import chance_of_highest
from core.window import PROMISED

SHIPPED = "boosted"
LIMIT = 1.0  # g/L: what water windows are judged at
AHEAD = (24, 72)  # hours
MIXED = 26  # hours before the issue: two tides
GROUPS = ((1, 6), (7, 24), (25, 48), (49, 72))  # leads
HOURS = (0, 6, 12, 18)  # local, of issues the course is scored at
LOW = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)  # edges of chances that are low
SOON = 6  # hours: what a verdict looks at

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScore:
    """Hours promised to stay at or under the limit, of the next `hours`: `cases` is `mixed` (the last 26 h at the station held safe and unsafe hours) or
    `all`; `n` hours that were read, `safe` the share of them that was safe.

    `precision`: how often a promised hour was safe; `share`: how many of the safe hours were promised; NaN where none was. `yesterday_…`: the
    same for "as the same hour yesterday" (the day before where that is not over yet).
    """

    hours: int
    cases: str
    n: int
    safe: float
    precision: float
    share: float
    yesterday_precision: float
    yesterday_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseScore:
    """Leads `first` to `last`: `n` hours that were read; `pinball`, twice the mean loss of the five quantiles [g/L], about their CRPS; how often the 90 % and
    the 50 % interval held; `brier`, the mean over LINES. `persistence_…`: of the model `persistence`, which speaks of `persistence_n` of these hours;
    `against_pinball`, `against_brier` are the model's own on those. NaN where there is none.
    """

    first: int
    last: int
    n: int
    pinball: float
    coverage90: float
    coverage50: float
    brier: float
    persistence_n: int
    persistence_pinball: float
    persistence_coverage90: float
    persistence_brier: float
    against_pinball: float
    against_brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LowOdds:
    """Chances of lying over a line, low ≤ p < high, said for leads 1 to 6: `n`, their mean `said`, how often it `came`; persistence beside it.

    `hours` is 1: of each hour by itself; 6: the highest of the six, as the verdict reads it, and whether any hour that was read came over the line.
    """

    hours: int
    low: float
    high: float
    n: int
    said: float
    came: float
    persistence_n: int
    persistence_said: float
    persistence_came: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSkill:
    """All of it, of one model on one set; days as text."""

    model: str
    version: str
    name: str
    learned_until: str
    test_from: str
    test_until: str
    windows: tuple[WindowScore, ...]
    course: tuple[CourseScore, ...]
    low: tuple[LowOdds, ...]


def skill_of_hours(found: Dataset, model: HourModel | None = None, *, moved: Callable[[str], None] = lambda what: None) -> HourSkill:
    """`model` (the shipped one where None is given) learns from the hours until `train_until` and is held against what came from `test_from` on.

    `moved` hears what is done.
    """
    model = model or hour_models()[SHIPPED]
    hourly = hourly_of_rows(found)
    moved("learning")
    fitted = model.fit(hourly.between(0, _hour(hourly, found.train_until + 1)))
    moved("windows")
    windows = windows_score(found, hourly, fitted)
    moved("the course")
    course, low = course_score(found, hourly, fitted)
    return HourSkill(
        model=model.name,
        version=model.version,
        name=found.name,
        learned_until=str(found.train_until),
        test_from=str(found.test_from),
        test_until=str(found.test_until),
        windows=windows,
        course=course,
        low=low,
    )


def hourly_of_rows(found: Dataset) -> Hourly:
    """The target of a data set by hours."""
    time, station, value = found.rows.time.astype("datetime64[s]").astype(np.int64) * 1000, found.rows.station, np.maximum(found.rows.value, 0.0)
    hour = time // HOUR_MS
    first, n = int(hour.min()), int(hour.max() - hour.min()) + 1
    high, begun = (np.full((n, len(found.daily.stations)), np.nan) for _ in range(2))
    np.fmax.at(high, (hour - first, station), value)
    last = np.lexsort((-time, station))  # the first reading of an hour is written last
    begun[hour[last] - first, station[last]] = value[last]
    return Hourly(zone=found.daily.zone, start=first * HOUR_MS, stations=found.daily.stations, value=high, begun=begun)


def windows_score(found: Dataset, hourly: Hourly, fitted: FittedHours, *, limit: float = LIMIT, promised: float = PROMISED) -> tuple[WindowScore, ...]:
    """Issued at the end of each local day from `test_from` on, at every scored station that was read in its last 6 hours."""
    hour, station = _issues(found, hourly, (0,))
    hourly = replace(hourly, begun=np.full_like(hourly.begun, np.nan))
    came = _came(found, hourly, hour, station)
    chance = fitted.p_le(hourly, hour, station, LEADS, limit)
    lead = np.array(LEADS)
    yesterday = _at(hourly, hour[:, None] + lead - 1 - 24 * ((lead + 23) // 24), station[:, None])
    before = _at(hourly, hour[:, None] - np.arange(1, MIXED + 1), station[:, None])
    mixed: Mask = (np.nanmin(before, axis=1) <= limit) & (np.nanmax(before, axis=1) > limit)  # each was read
    scores = []
    for hours in AHEAD:
        for cases, rows in (("mixed", mixed), ("all", np.ones_like(mixed))):
            asked = np.isfinite(came) & np.isfinite(chance) & rows[:, None] & (lead <= hours)
            safe, own, other = (mask[asked] for mask in (came <= limit, chance >= promised, yesterday <= limit))
            precision, share = _promises(own, safe)
            other_precision, other_share = _promises(other, safe)
            scores.append(
                WindowScore(
                    hours=hours,
                    cases=cases,
                    n=int(asked.sum()),
                    safe=_mean(safe),
                    precision=precision,
                    share=share,
                    yesterday_precision=other_precision,
                    yesterday_share=other_share,
                )
            )
    return tuple(scores)


def course_score(found: Dataset, hourly: Hourly, fitted: FittedHours) -> tuple[tuple[CourseScore, ...], tuple[LowOdds, ...]]:
    """Issued four times a day from `test_from` on, on the hour, nothing of it read yet."""
    hour, station = _issues(found, hourly, HOURS)
    hourly = replace(hourly, begun=np.full_like(hourly.begun, np.nan))
    came = _came(found, hourly, hour, station)
    own = fitted.say(hourly, hour, station)
    quantiles, p_gt = _persistence(found, hourly, hour, station)
    course = [_course(came, own.quantiles, own.p_gt, quantiles, p_gt, first, last) for first, last in GROUPS]
    soon = came[:, :SOON]
    over = np.where(np.isfinite(soon)[:, :, None], soon[:, :, None] > np.array(LINES), np.nan)
    each = [(p[:, :SOON].reshape(-1), over.reshape(-1)) for p in (own.p_gt, p_gt)]
    six = _highest(over).reshape(-1)
    most = [(_highest(p[:, :SOON]).reshape(-1), six) for p in (own.p_gt, p_gt)]
    low = [_low(n, both, a, z) for n, both in ((1, each), (SOON, most)) for a, z in pairwise(LOW)]
    return tuple(course), tuple(low)


@dataclass(frozen=True, slots=True, kw_only=True)
class HighestOdds:
    """P(the highest of the next hours lies over each of LINES) as it is `stated` (k, 4), and whether it `came` (k, 4): 0 or 1.

    `persistence` (k, 4) is what that model's hours would state. NaN where nothing is stated; issues under half of whose hours were read are left out.
    """

    stated: Floats
    persistence: Floats
    came: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOver:
    """P(over each of LINES) of the hours after each issue (k, hours, 4): the model's `own` and persistence's `other`; what `came` (k, hours).

    `start`: of each of those hours [ms] (k, hours).
    """

    start: Index
    own: Floats
    other: Floats
    came: Floats


def said_over(found: Dataset, hourly: Hourly, fitted: FittedHours, hours: int, *, at: Sequence[int] = HOURS) -> SaidOver:
    """Of the next `hours`, issued at these local hours of the days from `test_from` on, nothing of the hour that runs read yet."""
    hour, station = _issues(found, hourly, at)
    hourly = replace(hourly, begun=np.full_like(hourly.begun, np.nan))
    return SaidOver(
        start=hourly.start + (hour[:, None] + np.arange(hours)) * HOUR_MS,
        own=fitted.say(hourly, hour, station, LEADS[:hours]).p_gt,
        other=_persistence(found, hourly, hour, station)[1][:, :hours],
        came=_came(found, hourly, hour, station)[:, :hours],
    )


def highest_score(said: SaidOver, hours: int) -> HighestOdds:
    """Of the first `hours` of what was said."""
    came = said.came[:, :hours]
    read = np.isfinite(came).sum(axis=1) >= hours // 2
    start, over = said.start[read, :hours], (np.nanmax(came[read], axis=1)[:, None] > np.array(LINES)).astype(np.float64)
    return HighestOdds(stated=_stated(start, said.own[read, :hours]), persistence=_stated(start, said.other[read, :hours]), came=over)


def _hour(hourly: Hourly, day: np.datetime64) -> int:
    """The index of the hour in which a local day begins."""
    return int((local_times(hourly.zone, date.fromisoformat(str(day)), 1)[0] - hourly.start) // HOUR_MS)


def _issues(found: Dataset, hourly: Hourly, hours: Sequence[int]) -> tuple[Index, Index]:
    """(hour, station) of the test, with a reading in the 6 hours before: at these local hours of the days after `test_from` up to `test_until`."""
    first, days = date.fromisoformat(str(found.test_from + 1)), int((found.test_until - found.test_from).astype(int))
    starts = np.sort(np.concatenate([local_times(hourly.zone, first, days, hour=h) for h in hours]))
    issues = (starts - hourly.start) // HOUR_MS
    issues = issues[(issues > 0) & (issues <= len(hourly.value))]
    scored = np.array([hourly.stations.index(name) for name in found.scored], dtype=np.int64)
    hour, station = (part.ravel() for part in np.meshgrid(issues, scored, indexing="ij"))
    read = np.isfinite(_at(hourly, hour[:, None] - np.arange(1, OLDEST + 1), station[:, None])).any(axis=1) & (hour < len(hourly.value))
    return hour[read], station[read]


def _came(found: Dataset, hourly: Hourly, hour: Index, station: Index) -> Floats:
    """(k, 72): NaN where nothing was read, and after `test_until`."""
    target = hour[:, None] + np.array(LEADS) - 1
    return np.where(target < _hour(hourly, found.test_until + 1), _at(hourly, target, station[:, None]), np.nan)


def _at(hourly: Hourly, hour: Index, station: Index) -> Floats:
    inside = (hour >= 0) & (hour < len(hourly.value))
    return np.where(inside, hourly.value[np.where(inside, hour, 0), station], np.nan)


def _promises(promised: Mask, safe: Mask) -> tuple[float, float]:
    return _mean(safe[promised]), _mean(promised[safe])


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _highest(p: Floats) -> Floats:
    """Of the hours that are known (k, lines)."""
    return np.where(np.isfinite(p).any(axis=1), np.where(np.isfinite(p), p, -1.0).max(axis=1), np.nan)


def _stated(starts: Index, p: Floats) -> Floats:
    """P(over each line in some hour) (k, lines) from the chances of hours (k, hours, lines), of those that are told; NaN where none is."""
    found = np.full((len(p), p.shape[2]), np.nan)
    for k, (start, row) in enumerate(zip(starts, p, strict=True)):
        told = np.isfinite(row).all(axis=1)
        for line in range(p.shape[2]):
            found[k, line] = chance_of_highest(zip(start[told].tolist(), row[told, line].tolist(), strict=True))
    return found


def _course(came: Floats, quantiles: Floats, p_gt: Floats, other_quantiles: Floats, other_p: Floats, first: int, last: int) -> CourseScore:
    leads = slice(first - 1, last)
    y, q, p, oq, op = (part[:, leads] for part in (came, quantiles, p_gt, other_quantiles, other_p))
    read = np.isfinite(y) & np.isfinite(q).all(axis=2)
    also = read & np.isfinite(oq).all(axis=2)
    return CourseScore(
        first=first,
        last=last,
        n=int(read.sum()),
        pinball=_pinball(y[read], q[read]),
        coverage90=_held(y[read], q[read], 0),
        coverage50=_held(y[read], q[read], 1),
        brier=_brier(y[read], p[read]),
        persistence_n=int(also.sum()),
        persistence_pinball=_pinball(y[also], oq[also]),
        persistence_coverage90=_held(y[also], oq[also], 0),
        persistence_brier=_brier(y[also], op[also]),
        against_pinball=_pinball(y[also], q[also]),
        against_brier=_brier(y[also], p[also]),
    )


def _pinball(y: Floats, q: Floats) -> float:
    error = y[:, None] - q
    return 2 * _mean(np.maximum(error * np.array(QUANTILES), error * (np.array(QUANTILES) - 1)).ravel())


def _held(y: Floats, q: Floats, place: int) -> float:
    return _mean((y >= q[:, place]) & (y <= q[:, -1 - place]))


def _brier(y: Floats, p: Floats) -> float:
    return _mean(((p - (y[:, None] > np.array(LINES))) ** 2).ravel())


def _low(hours: int, both: Sequence[tuple[Floats, Floats]], low: float, high: float) -> LowOdds:
    rows = [(p[mask], came[mask]) for p, came in both for mask in [np.isfinite(p) & np.isfinite(came) & (p >= low) & (p < high)]]
    (said, came), (other_said, other_came) = rows
    return LowOdds(
        hours=hours,
        low=low,
        high=high,
        n=len(said),
        said=_mean(said),
        came=_mean(came),
        persistence_n=len(other_said),
        persistence_said=_mean(other_said),
        persistence_came=_mean(other_came),
    )


def _persistence(found: Dataset, hourly: Hourly, hour: Index, station: Index) -> tuple[Floats, Floats]:
    """What `persistence` says of the same issues."""
    quantiles = np.full((len(hour), len(LEADS), len(QUANTILES)), np.nan)
    p_gt = np.full((len(hour), len(LEADS), len(LINES)), np.nan)
    time, name = found.rows.time.astype("datetime64[s]").astype(np.int64) * 1000, found.rows.station
    histories = [
        History(station=one, point="main", zone=hourly.zone, time=time[name == i], value=found.rows.value[name == i]) for i, one in enumerate(hourly.stations)
    ]
    for at in np.unique(hour).tolist():
        rows = np.flatnonzero(hour == at)
        for row, issue in zip(rows.tolist(), PERSISTENCE.say("hour", histories, station[rows].tolist(), hourly.start + at * HOUR_MS, ()), strict=True):
            if issue is not None:
                leads = np.array(issue.leads) - 1
                quantiles[row, leads], p_gt[row, leads] = issue.quantiles, issue.p_gt
    return quantiles, p_gt
