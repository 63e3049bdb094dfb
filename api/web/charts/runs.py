"""What a series shows as a line: runs of good values, holes where nothing is known, thinned to what a narrow picture can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from api.web.charts.svg import Point
from core.flags import Flag

HOLE_INTERVALS = 2.5  # a gap this many usual intervals long is a hole
LEAST_HOLE_MS = 90 * 60_000
BAD = (Flag.SUSPECT, Flag.FAIL)

Sample = tuple[int, float]  # time [ms], value [g/L]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """`lines` are good values in unbroken runs, `holes` the stretches [ms] between without any, `bad` what the judge suspects or fails."""

    lines: tuple[tuple[Sample, ...], ...]
    holes: tuple[tuple[int, int], ...]
    bad: tuple[Sample, ...]

    @property
    def last(self) -> Sample | None:
        """The newest good value."""
        return self.lines[-1][-1] if self.lines else None


def runs(times: Sequence[int], values: Sequence[float], flags: Sequence[int], *, start: int, end: int, unknown_from: int | None = None) -> Runs:
    """Cut a series to [start, end] and part it at its holes; suspect and failed values are neither joined nor let count as known.

    Nothing is known from `unknown_from` on, where that is given. Values not judged yet are drawn: the page says so beside.
    """
    stop = end if unknown_from is None else min(end, unknown_from)
    rows = sorted((t, v, f) for t, v, f in zip(times, values, flags, strict=True) if start <= t <= end and math.isfinite(v))
    bad = tuple((t, v) for t, v, f in rows if f in BAD)
    good = [(t, v) for t, v, f in rows if f not in BAD and f != Flag.MISSING and t <= stop]
    gaps = sorted(b[0] - a[0] for a, b in pairwise(good))
    hole = max(LEAST_HOLE_MS, HOLE_INTERVALS * gaps[len(gaps) // 2]) if gaps else LEAST_HOLE_MS
    lines: list[list[Sample]] = []
    holes: list[tuple[int, int]] = []
    known = start
    for sample in good:
        if not lines or sample[0] - known > hole:
            if sample[0] - known > hole:
                holes.append((known, sample[0]))
            lines.append([])
        lines[-1].append(sample)
        known = sample[0]
    if end - known > hole or (unknown_from is not None and unknown_from < end):
        holes.append((known, end))
    return Runs(lines=tuple(tuple(line) for line in lines), holes=tuple(holes), bad=bad)


def thin(points: Sequence[Point], width: float) -> list[Point]:
    """At most the first, lowest, highest and last point of each `width` [px] of x: no extreme is lost. Points must rise in x."""
    if len(points) < 3:
        return list(points)
    kept: list[Point] = []
    for _, group in groupby(points, key=lambda p: math.floor(p[0] / width)):
        column = list(group)
        low = min(range(len(column)), key=lambda i: column[i][1])
        high = max(range(len(column)), key=lambda i: column[i][1])
        kept.extend(column[i] for i in sorted({low, high}))
    ends = [p for p in (points[0],) if kept[0] != p]
    return [*ends, *kept, *(p for p in (points[-1],) if kept[-1] != p)]
