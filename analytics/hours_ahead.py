"""What is said of the next hours, scored against the highest of them: by the verdict and the pages of 6 h, by alerts of 24 h. Pure.

As of the instant of each issue of `hour`: what `core.highest` makes of it then is what was said (of 6 h the highest chance, of 24 h that of the
highest). Said again of the same issue in the hours after, it is not scored. Where the verdict would have no forecast nothing was said.

Whether some hours count is decided without a look at how salty they were. A reading over the line would decide them whatever else is missing, but
where only such hours with a gap counted, and none that were low as far as read, the line would seem passed more often than it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.history import LONGEST_GAP_MS, History, local_date, stretches
from analytics.record import Sums, add_line, month_of
from core.bands import LINES
from core.forecast import HOUR_MS, Forecast
from core.highest import chance_within, covered, highest_chance, touching
from core.record import AHEAD, VALUES, Day, Score, bin_of

LIMITED = "max_6h"  # what is said at crops' limits too: alerts are about lines alone


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an issue says of the hours start ≤ t < end [ms]: `p` of each line."""

    issue: Forecast
    start: int
    end: int
    p: tuple[float, ...]


def hours_ahead(
    issues: Sequence[Forecast], history: History, *, after: int, until: int, limits: Sequence[float] = (), targets: Sequence[str] = tuple(AHEAD)
) -> tuple[list[Score], list[Day]]:
    """Of one point's issues: scores, and as said and as they came, of the hours that end in after < end ≤ until [ms]; of 6 h at `limits` [g/L] too.
    Of those of `AHEAD` that are among `targets`.

    Of two issues of one model for the same hours the first counts. Stretches of time that follow each other score each once.
    """
    sums = Sums()
    came: dict[tuple[str, int], Day] = {}
    for target, hours in ((target, hours) for target, hours in AHEAD.items() if target in targets):
        lines = (*LINES, *limits) if target == LIMITED else LINES
        said = list(_first_said(issues, target, lines, after, until))
        starts, ends = (np.array([getattr(one, name) for one in said], dtype=np.int64) for name in ("start", "end"))
        truth = stretches(history, starts, ends, longest_gap=min(LONGEST_GAP_MS, hours * HOUR_MS // 2))
        for one, high, counts in zip(said, truth.high.tolist(), truth.whole.tolist(), strict=True):
            f, month = one.issue, month_of(local_date(one.start, history.zone))
            sums.of(f, target, hours, VALUES, 0, month)["n" if counts else "missing"] += 1
            came.setdefault(
                (target, one.start),
                Day(
                    station=f.station,
                    point=f.point,
                    target=target,
                    time=one.start,
                    model=f.model,
                    said=one.p[: len(LINES)],
                    came=high if counts else None,
                ),
            )
            for line, p in zip(lines, one.p, strict=True) if counts else ():
                add_line(sums.of(f, target, hours, line, bin_of(p), month), p, high > line)
    return sums.scores(), list(came.values())


def window(f: Forecast, target: str) -> tuple[int, int]:
    """The whole hours that what an issue says is of: start ≤ t < end [ms]. The hour that runs at the issue is one of them."""
    until = f.issued_at + AHEAD[target] * HOUR_MS
    return f.issued_at // HOUR_MS * HOUR_MS, -(-until // HOUR_MS) * HOUR_MS


def said(f: Forecast, target: str, lines: Sequence[float]) -> tuple[float, ...]:
    """What an issue of `hour` says at each line at its instant, of one of `AHEAD`; nothing where it says nothing."""
    until = f.issued_at + AHEAD[target] * HOUR_MS
    if target == LIMITED:
        hours = touching(f, f.issued_at, until)
        if not covered((f.times[i] for i in hours), f.issued_at, until):
            return ()  # the verdict says nothing then
        p = tuple(highest_chance(f.exceedance(i, line) for i in hours) for line in lines)
    else:
        p = tuple(chance_within(f, f.issued_at, until, line) for line in lines)
    return p if np.isfinite(p).all() else ()


def _first_said(issues: Sequence[Forecast], target: str, lines: Sequence[float], after: int, until: int) -> Iterator[_Said]:
    seen: set[tuple[str, int, int]] = set()
    for f in sorted(issues, key=lambda f: (f.issued_at, f.id)):
        start, end = window(f, target)
        if f.target != "hour" or f.hindcast or not after < end <= until or (f.model, start, end) in seen:
            continue
        p = said(f, target, lines)
        if p:
            seen.add((f.model, start, end))
            yield _Said(issue=f, start=start, end=end, p=p)
