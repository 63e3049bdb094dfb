"""What the scores of a point rest on (`core.record.Basis`), day by day: found again, or not, when the point is looked at. Pure.

A reading may be judged anew, come late, be decoded again or turn out to be another point's after its day was scored. So is every day of the month of
the newest scored day and of the two before it found out; what is older stands as it was scored. Sums are kept by month: where a day is found to be
another, its month and all after it are scored anew, with everything that the readings before an issue bear on (`analytics.record`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

import numpy as np

from analytics.history import History, Times, local_date, local_times
from analytics.record import end_of_day
from core.forecast import HOUR_MS
from core.record import SLUICE, Anew, Basis

MONTHS = 2  # before that of the newest scored day
_LONGEST_MS = 26 * HOUR_MS  # of what began before a day and ended in it: 24 h, the hour that ran, and the part of one by which zones differ


def reach(until: int, zone: str) -> int:
    """The local midnight [ms] from which on what is scored up to `until`, a local midnight, follows its readings."""
    last = local_date(until - 1, zone)
    months = last.year * 12 + last.month - 1 - MONTHS
    return int(local_times(zone, date(months // 12, months % 12 + 1, 1), 1)[0])


def midnights(since: int, until: int, zone: str) -> Times:
    """Every local midnight since ≤ t ≤ until [ms]; both are midnights."""
    first, last = local_date(since, zone), local_date(until, zone)
    return local_times(zone, first, (last - first).days + 1)


def digests(days: Times, histories: Sequence[History]) -> list[str]:
    """Of each local day that these midnights begin, but the last one: what was good at these points in it; empty where nothing was."""
    edges = [np.searchsorted(h.time, days).tolist() for h in histories]
    found = []
    for i in range(len(days) - 1):
        seen = hashlib.sha256()
        parts = [(n, h, edge[i], edge[i + 1]) for n, (h, edge) in enumerate(zip(histories, edges, strict=True)) if edge[i + 1] > edge[i]]
        for n, h, a, z in parts:
            seen.update(f"{n} {z - a}\n".encode() + np.ascontiguousarray(h.time[a:z]).tobytes() + np.ascontiguousarray(h.value[a:z]).tobytes())
        found.append(seen.hexdigest()[:16] if parts else "")
    return found


def as_they_are(stated: Sequence[Basis], histories: Sequence[History], zone: str) -> list[Basis]:
    """These days in a row with the digest of what is good now: at the first point, and at the others too where a sluice was scored between them."""
    if not stated:
        return []
    days = midnights(stated[0].time, end_of_day(stated[-1].time, zone), zone)
    alone = digests(days, histories[:1])
    together = digests(days, histories) if len(histories) > 1 else alone
    sluice = set(SLUICE.values())
    return [replace(b, digest=both if sluice & set(b.targets) else own) for b, own, both in zip(stated, alone, together, strict=True)]


def first_changed(kept: Mapping[int, Basis], found: Iterable[Basis]) -> int | None:
    """The start [ms] of the first day that is not as it was when it was scored; None where all are. `found` in order of time."""
    return next((b.time for b in found if b.time in kept and kept[b.time].digest != b.digest), None)


def anew_from(changed: int, since: int, station: str, point: str, zone: str) -> Anew:
    """Where to begin where the day from `changed` [ms] on is another: with the month of the first interval that reaches into it, at `since` at most.

    What began before `since` and reaches over it stands as it was scored.
    """
    day = local_date(changed - _LONGEST_MS, zone)
    first = max(since, int(local_times(zone, date(day.year, day.month, 1), 1)[0]))
    begins = local_date(first, zone)
    return Anew(station=station, point=point, time=first, month=begins.year * 100 + begins.month)


def alike(bases: Sequence[Basis], most: int, zone: str) -> Iterator[tuple[int, int, Basis]]:
    """Stretches of at most so many days in a row, from when to when [ms], of which the same was stated, and one of their days."""
    for _, group in groupby(bases, key=lambda b: (b.targets, b.limits)):
        run = list(group)
        for n in range(0, len(run), most):
            part = run[n : n + most]
            yield part[0].time, end_of_day(part[-1].time, zone), part[0]
