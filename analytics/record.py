"""What was said against what came, in sums (`core.record.Score`), and those sums in the words of a record. Pure.

Every issue counts. Of two issues of one model for the same interval at the same lead the first one does. A hindcast is no issue: it was
made when the truth was known. What has no truth is counted as missing, never dropped.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from analytics.daily.reliability import wilson
from analytics.daily.scores import skill
from analytics.history import DAY_MS, Floats, History, Times, local_date, local_times, stretches
from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.record import BINS, KEY, SUMS, VALUES, Score

WARN_FROM = 0.5
CLIMATE_DAYS = 60  # whole local days before an issue from which its reference is made
LEAST_DAYS = 20  # of them, for a reference
FEW = 20  # under so many scored forecasts a rate is no rate
_SAME = 1e-9  # 0.3 × 10 is 2.9999999999999996 and belongs to the bin that begins at 0.3


def scored(issues: Sequence[Forecast], history: History, *, after: int, until: int) -> list[Score]:
    """The scores of every interval that ends in after < end ≤ until [ms], of one point's issues. `history` reaches 61 days before the first of them.

    Stretches of time that follow each other score each interval once: their sums are those of one long stretch.
    """
    sums: dict[tuple[object, ...], dict[str, float]] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for f, rows, starts, ends in _first_said(issues, history.zone, after, until):
        found = stretches(history, starts, ends)
        truth = found.low if f.target == "day_min" else found.high
        reference = _climate(history, f) if f.target != "hour" else None
        for row, start, came, whole in zip(rows, starts.tolist(), truth.tolist(), found.whole.tolist(), strict=True):
            day = local_date(start, history.zone)
            lead = f.leads[row] if f.target != "hour" else -(-f.leads[row] // 24) * 24
            where = (f.station, f.point, f.target, f.model, lead)
            month = day.year * 100 + day.month
            value = sums[*where, VALUES, 0, month]
            if not whole or not math.isfinite(came):
                value["missing"] += 1
                continue
            _add_value(value, f, row, came)
            for i, line in enumerate(LINES):
                p = f.p_gt[row][i]
                _add_line(sums[*where, line, bin_of(p), month], p, came > line, reference[i] if reference is not None else None)
    return [Score(**dict(zip(KEY, key, strict=True)), **values) for key, values in sums.items()]  # type: ignore[arg-type]  # KEY names the fields in order


def bin_of(p: float) -> int:
    """The tenth a probability belongs to; the last one holds 1 too."""
    return min(BINS - 1, int(p * BINS + _SAME))


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
    """One line: `events` of `n`, `right` (share on the right side of one half), Brier score, skill against the 60 days before, and the tenths.

    None where under 20 were scored (or had that reference).
    """

    line: float
    n: int
    events: int
    right: float | None
    brier: float | None
    skill: float | None
    tenths: tuple[Tenth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One station's point, target, model and lead: n scored, `missing` without data, share inside the 90 % interval, mean absolute error [g/L], lines."""

    station: str
    point: str
    target: str
    model: str
    lead: int
    n: int
    missing: int
    inside: float | None
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
    return Record(
        **dict(zip(("station", "point", "target", "model", "lead"), key, strict=True)),  # type: ignore[arg-type]  # `key` holds them in this order
        n=n,
        missing=sum(s.missing for s in values),
        inside=_share(sum(s.inside for s in values), n),
        error=_share(sum(s.error for s in values), n),
        lines=tuple(_line(line, [s for s in scores if s.line == line]) for line in LINES),
    )


def _line(line: float, scores: list[Score]) -> LineRecord:
    n, known = sum(s.n for s in scores), sum(s.known for s in scores)
    better = skill(sum(s.squares_known for s in scores), sum(s.squares_reference for s in scores)) if known >= FEW else math.nan
    tenths = [[s for s in scores if s.bin == i] for i in range(BINS)]
    return LineRecord(
        line=line,
        n=n,
        events=sum(s.events for s in scores),
        right=_share(sum(s.right for s in scores), n),
        brier=_share(sum(s.squares for s in scores), n),
        skill=better if math.isfinite(better) else None,
        tenths=tuple(_tenth(t) for t in tenths if sum(s.n for s in t)),
    )


def _tenth(scores: list[Score]) -> Tenth:
    n, events = sum(s.n for s in scores), sum(s.events for s in scores)
    low, high = wilson(events, n)
    return Tenth(n=n, said=sum(s.said for s in scores) / n, came=events / n, low=low, high=high)


def _share(part: float, n: int) -> float | None:
    return part / n if n >= FEW else None


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
    sums["error"] += abs(quantiles[MEDIAN] - came)


def _add_line(sums: dict[str, float], p: float, event: bool, reference: float | None) -> None:
    sums["n"] += 1
    sums["said"] += p
    sums["events"] += event
    sums["squares"] += (p - event) ** 2
    sums["right"] += (p >= WARN_FROM) == event
    if reference is not None and math.isfinite(reference):
        sums["known"] += 1
        sums["squares_known"] += (p - event) ** 2
        sums["squares_reference"] += (reference - event) ** 2


def _climate(history: History, f: Forecast) -> list[float] | None:
    """How often each line was passed in the whole local days that were over before the issue; None where those are few."""
    last = local_date(f.issued_at, history.zone)
    bounds = local_times(history.zone, last - timedelta(days=CLIMATE_DAYS), CLIMATE_DAYS + 1)
    before = stretches(history.between(f.issued_at - (CLIMATE_DAYS + 1) * DAY_MS, f.issued_at), bounds[:-1], bounds[1:])
    extreme: Floats = (before.low if f.target == "day_min" else before.high)[before.whole]
    return [float((extreme > line).mean()) for line in LINES] if len(extreme) >= LEAST_DAYS else None
