"""What was said against what came, in sums (`core.record.Score`), and those sums in the words of a record. Pure.

Every issue counts. Of two issues of one model for the same interval at the same lead the first one does. A hindcast is no issue: it was
made when the truth was known. What has no truth is counted as missing, never dropped.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from analytics.daily.counting import MEMORY, Mask, counting, most_lately
from analytics.daily.reliability import wilson
from analytics.daily.scores import OFFICIAL_SHARE, skill
from analytics.history import Floats, History, Stretches, Times, local_date, local_times, stretches
from analytics.model import HISTORY_MS
from analytics.models.persistence import MODEL as PERSISTENCE
from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.record import AS_ONE, BINS, KEY, SUMS, VALUES, WARN_BIN, Day, Score, bin_of, warns

CLIMATE_DAYS = 60  # local days before an issue from which its reference is made
LEAST_DAYS = 20  # of them, for a reference
FEW = 20  # under so many scored forecasts a rate is no rate
LIMIT_LEADS = (1, 3, 7, 14)  # days ahead that are scored at crops' limits: those the record of all stations tells of, so that it stays small
_SAME = 1e-9  # an error of just 30 % keeps the rule, however it was rounded


class Sums:
    """Sums of scores, by what they are of."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[object, ...], dict[str, float]] = defaultdict(lambda: dict.fromkeys(SUMS, 0))

    def of(self, f: Forecast, target: str, lead: int, line: float, bin: int, month: int) -> dict[str, float]:
        """Those that an issue's word adds to."""
        return self._by_key[f.station, f.point, target, f.model, lead, line, bin, month]

    def scores(self) -> list[Score]:
        """As they are kept."""
        return [Score(**dict(zip(KEY, key, strict=True)), **values) for key, values in self._by_key.items()]  # type: ignore[arg-type]  # KEY names the fields in order


def merged(scores: Iterable[Score]) -> list[Score]:
    """One of each key: those of several stretches, added up."""
    found: dict[tuple[object, ...], Score] = {}
    for s in scores:
        key = tuple(getattr(s, name) for name in KEY)
        had = found.get(key)
        found[key] = s if had is None else replace(s, **{name: getattr(had, name) + getattr(s, name) for name in SUMS})
    return list(found.values())


def scored(issues: Sequence[Forecast], history: History, *, after: int, until: int, limits: Sequence[float] = ()) -> list[Score]:
    """The scores of every interval that ends in after < end ≤ until [ms], of one point's issues.

    At `core.bands.LINES`; days `LIMIT_LEADS` ahead at `limits` [g/L] too. `history` reaches back `analytics.model.HISTORY_MS` before the first of them.

    Stretches of time that follow each other score each interval once: their sums are those of one long stretch.
    """
    sums = Sums()
    for f, rows, starts, ends in _first_said(issues, history.zone, after, until):
        found = stretches(history, starts, ends)
        truth = found.low if f.target == "day_min" else found.high
        counts = found.whole if f.target == "hour" else _counting(history, starts, found)
        more = () if f.target == "hour" else limits
        reference = _climate(history, f, (*LINES, *more)) if f.target != "hour" else None
        plain = _persistence(history, f) if f.target != "hour" else {}
        for row, start, came, there in zip(rows, starts.tolist(), truth.tolist(), counts.tolist(), strict=True):
            day = local_date(start, history.zone)
            lead = f.leads[row] if f.target != "hour" else -(-f.leads[row] // 24) * 24
            month = month_of(day)
            value = sums.of(f, f.target, lead, VALUES, 0, month)
            if not there:
                value["missing"] += 1
                continue
            _add_value(value, f, row, came)
            for i, line in enumerate((*LINES, *more) if lead in LIMIT_LEADS else LINES):
                p = f.p_gt[row][i] if i < len(LINES) else f.exceedance(row, line)
                beside = plain[start][i] if start in plain and i < len(LINES) else None
                add_line(sums.of(f, f.target, lead, line, bin_of(p), month), p, came > line, reference[i] if reference is not None else None, beside)
    return sums.scores()


def days(issues: Sequence[Forecast], history: History, *, after: int, until: int) -> list[Day]:
    """The days of `day_max` and `day_min` that ended in after < end ≤ until [ms] and were forecast: as said one day ahead, and as they came."""
    said: dict[tuple[str, int], tuple[str, tuple[float, ...]]] = {}
    for f, rows, starts, _ in _first_said(issues, history.zone, after, until):
        if f.target == "hour":
            continue
        for row, start in zip(rows, starts.tolist(), strict=True):
            if f.leads[row] == 1 and not said.get((f.target, start), ("", ()))[1]:
                said[f.target, start] = (f.model, f.p_gt[row])
            else:
                said.setdefault((f.target, start), ("", ()))
    if not said:
        return []
    starts = np.array([start for _, start in said], dtype=np.int64)
    found = stretches(history, starts, np.array([end_of_day(start, history.zone) for start in starts.tolist()], dtype=np.int64))
    extremes = zip(found.high.tolist(), found.low.tolist(), _counting(history, starts, found).tolist(), strict=True)
    return [
        Day(station=history.station, point=history.point, target=target, time=start, model=model, said=p_gt, came=_came(target, *extreme))
        for ((target, start), (model, p_gt)), extreme in zip(said.items(), extremes, strict=True)
    ]


def _came(target: str, high: float, low: float, counts: bool) -> float | None:
    return (high if target == "day_max" else low) if counts else None


def _counting(history: History, starts: Times, found: Stretches) -> Mask:
    """Which of the local days that begin at `starts` (k,) count, by the rule of the days that models learn from, the 29 days before each in mind."""
    dates = np.array([local_date(start, history.zone) for start in starts.tolist()], dtype="datetime64[D]")
    first = dates.min() - (MEMORY - 1)
    midnights = local_times(history.zone, first.item(), int((dates.max() - first).astype(np.int64)) + 2)
    count = np.diff(np.searchsorted(history.time, midnights))
    here = (dates - first).astype(np.int64)
    return counting(count[here], found.whole, most_lately(count)[here])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenth:
    """The forecasts of one tenth of probability: how many, what was said in the mean, how often it came, with 95 % interval of independent days."""

    n: int
    said: float
    came: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRecord:
    """One line: `events` of `n`, how many were warned of (`warned`, see `core.record.warns`) and how many of those came (`hits`).

    `right`: share warned of that came and not warned of that did not; `hit_rate`: of the events, those warned of; `false_alarms`: of the warnings,
    those that did not come; Brier score; its skill against the 60 days before, and against what `persistence` would have said; the tenths.
    None where under 20 stand behind it.
    """

    line: float
    n: int
    events: int
    warned: int
    hits: int
    right: float | None
    hit_rate: float | None
    false_alarms: float | None
    brier: float | None
    skill: float | None
    skill_persistence: float | None
    tenths: tuple[Tenth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One station's point, target, model and lead: n scored, `missing` without data.

    `inside`: share within the 90 % interval; `within`: share with an error of at most 30 % of the truth; `error`: mean absolute error [g/L].
    `lines`: those of LINES in order, then crops' limits, rising. Of `core.record.AS_ONE` no value is stated, and so many count as one as
    speak of nearly the same hours: a rate stands on FEW that do not, and so does an interval.
    """

    station: str
    point: str
    target: str
    model: str
    lead: int
    n: int
    missing: int
    inside: float | None
    within: float | None
    error: float | None
    lines: tuple[LineRecord, ...]


def records(scores: Iterable[Score]) -> list[Record]:
    """One record per (station, point, target, model, lead), in that order, of scores in any order and split in any way."""
    groups: defaultdict[tuple[str, str, str, str, int], list[Score]] = defaultdict(list)
    for s in scores:
        groups[s.station, s.point, s.target, s.model, s.lead].append(s)
    return [_record(key, groups[key]) for key in sorted(groups)]


def _record(key: tuple[str, str, str, str, int], scores: list[Score]) -> Record:
    values = [s for s in scores if s.line == VALUES]
    n = sum(s.n for s in values)
    target = key[2]
    valued, as_one = n if target not in AS_ONE else 0, AS_ONE.get(target, 1)
    limits = sorted({s.line for s in scores} - {*LINES, VALUES})
    return Record(
        **dict(zip(("station", "point", "target", "model", "lead"), key, strict=True)),  # type: ignore[arg-type]  # `key` holds them in this order
        n=n,
        missing=sum(s.missing for s in values),
        inside=_share(sum(s.inside for s in values), valued),
        within=_share(sum(s.within for s in values), valued),
        error=_share(sum(s.error for s in values), valued),
        lines=tuple(_line(line, [s for s in scores if s.line == line], as_one) for line in (*LINES, *limits)),
    )


def _line(line: float, scores: list[Score], as_one: int) -> LineRecord:
    n, events = sum(s.n for s in scores), sum(s.events for s in scores)
    warned = sum(s.n for s in scores if s.bin >= WARN_BIN)
    hits = sum(s.events for s in scores if s.bin >= WARN_BIN)
    tenths = [[s for s in scores if s.bin == i] for i in range(BINS)]
    return LineRecord(
        line=line,
        n=n,
        events=events,
        warned=warned,
        hits=hits,
        right=_share(sum(s.right for s in scores), n, as_one),
        hit_rate=_share(hits, events, as_one),
        false_alarms=_share(warned - hits, warned, as_one),
        brier=_share(sum(s.squares for s in scores), n, as_one),
        skill=_better(sum(s.squares_known for s in scores), sum(s.squares_reference for s in scores), sum(s.known for s in scores)),
        skill_persistence=_better(sum(s.squares_compared for s in scores), sum(s.squares_persistence for s in scores), sum(s.compared for s in scores)),
        tenths=tuple(_tenth(t, as_one) for t in tenths if sum(s.n for s in t)),
    )


def _better(ours: float, reference: float, n: int) -> float | None:
    found = skill(ours, reference) if n >= FEW else math.nan
    return found if math.isfinite(found) else None


def _tenth(scores: list[Score], as_one: int) -> Tenth:
    n, events = sum(s.n for s in scores), sum(s.events for s in scores)
    low, high = wilson(events / as_one, n / as_one)
    return Tenth(n=n, said=sum(s.said for s in scores) / n, came=events / n, low=low, high=high)


def _share(part: float, n: int, as_one: int = 1) -> float | None:
    return part / n if n >= FEW * as_one else None


def month_of(day: date) -> int:
    """As `core.record.Score.month` has it."""
    return day.year * 100 + day.month


def _first_said(issues: Sequence[Forecast], zone: str, after: int, until: int) -> Iterator[tuple[Forecast, list[int], Times, Times]]:
    """Each issue with its rows that end in the stretch, and from when to when these are; without what an earlier issue said already."""
    said: set[tuple[str, str, int, int]] = set()
    for f in sorted(issues, key=lambda f: (f.issued_at, f.id)):
        if f.hindcast:
            continue
        rows, starts, ends = [], [], []
        for row, (lead, start) in enumerate(zip(f.leads, f.times, strict=True)):
            end = start + HOUR_MS if f.target == "hour" else end_of_day(start, zone)
            slot = (f.target, f.model, lead, start)
            if after < end <= until and slot not in said:
                said.add(slot)
                rows.append(row)
                starts.append(start)
                ends.append(end)
        if rows:
            yield f, rows, np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def end_of_day(start: int, zone: str) -> int:
    """The local midnight that ends the local day of an instant [ms]."""
    return int(local_times(zone, local_date(start, zone) + timedelta(days=1), 1)[0])


def _add_value(sums: dict[str, float], f: Forecast, row: int, came: float) -> None:
    quantiles = f.quantiles[row]
    sums["n"] += 1
    sums["inside"] += quantiles[0] <= came <= quantiles[-1]
    error = abs(quantiles[MEDIAN] - came)
    sums["within"] += error <= OFFICIAL_SHARE * abs(came) * (1 + _SAME)
    sums["error"] += error


def add_line(sums: dict[str, float], p: float, event: bool, reference: float | None = None, plain: float | None = None) -> None:
    """One more that was said with `p`; what a reference and `persistence` would have said beside it."""
    sums["n"] += 1
    sums["said"] += p
    sums["events"] += event
    sums["squares"] += (p - event) ** 2
    sums["right"] += warns(p) == event
    if reference is not None and math.isfinite(reference):
        sums["known"] += 1
        sums["squares_known"] += (p - event) ** 2
        sums["squares_reference"] += (reference - event) ** 2
    if plain is not None:
        sums["compared"] += 1
        sums["squares_compared"] += (p - event) ** 2
        sums["squares_persistence"] += (plain - event) ** 2


def _climate(history: History, f: Forecast, lines: Sequence[float]) -> list[float] | None:
    """How often each line was passed in the local days that count and were over before the issue; None where those are few."""
    last = local_date(f.issued_at, history.zone)
    bounds = local_times(history.zone, last - timedelta(days=CLIMATE_DAYS), CLIMATE_DAYS + 1)
    known = history.between(f.issued_at - HISTORY_MS, f.issued_at)
    before = stretches(known, bounds[:-1], bounds[1:])
    extreme: Floats = (before.low if f.target == "day_min" else before.high)[_counting(known, bounds[:-1], before)]
    return [float((extreme > line).mean()) for line in lines] if len(extreme) >= LEAST_DAYS else None


def _persistence(history: History, f: Forecast) -> dict[int, tuple[float, ...]]:
    """What the model `persistence` would have said at that issue of this point, from this point's readings alone: P(S > line) by start of the day [ms]."""
    [issue] = PERSISTENCE.say(f.target, [history], [0], f.issued_at, ())
    return dict(zip(issue.times, issue.p_gt, strict=True)) if issue is not None else {}
