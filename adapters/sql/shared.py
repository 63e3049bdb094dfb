"""Identities where several ingests share the devices: each message was dealt to one of them, and what they know is merged here.

Clockless objects are claimed before they are stored: the first of two who read the same one gives it its time. Numbers of
devices with a clock are a union of what each has read, so that the order of the commits does not matter; what was there
already is a duplicate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, tuple_

from adapters.sql import identities
from adapters.sql import tables as t
from adapters.sql.engine import in_chunks
from adapters.sql.serials import take
from core.state import SEEN_BYTES, SEEN_OBJECTS, Arrival, BootSpan, Claim, Seen

MAX_HOLES = 5000  # of one boot: between the commits of two ingests each number the other has read looks like a hole
IMPLIED_BOOT = -1  # of a device that sends seq without boot

Run = tuple[int, int]  # from, to: both are in it


def claim(c: Connection, objects: Sequence[tuple[Seen, bool]]) -> list[Claim | None]:
    """See `core.ports.Identities.claim`. Two who ask at once wait for each other."""
    take(c, "changed", 0)  # the lock that orders writers
    known = _known(c, [item for item, _ in objects])
    taken = _taken(c, [item for item, keep in objects if keep])
    answers: list[Claim | None] = []
    new: list[dict[str, Any]] = []
    for item, keep in objects:
        same_number = known.setdefault((item.device, item.boot, item.seq), {})
        first = same_number.get(item.digest)
        if first is not None:
            answers.append(Claim(first.time, first.received, (first.journal, first.position) != (item.journal, item.position), conflicting=False))
            continue
        if not keep:
            answers.append(None)
            continue
        times = taken.setdefault(item.device, set())
        time = item.time
        while time in times:
            time += 1
        times.add(time)
        answers.append(Claim(time, item.received, duplicate=False, conflicting=bool(same_number)))
        same_number[item.digest] = _First(time, item.received, item.journal, item.position)
        new.append({name: getattr(item, name) for name in ("device", "boot", "seq", "received", "position", "digest", "journal")} | {"time": time})
    if new:
        c.execute(t.seen.insert(), new)
    # one object in 32 has its device looked after: that costs as much as all the rest
    _forget(c, {item.device for item, keep in objects if keep and item.digest[:1] < b"\x08"})
    return answers


class _First(NamedTuple):
    time: int
    received: int
    journal: str
    position: int


def _known(c: Connection, items: Iterable[Seen]) -> dict[tuple[str, int, int], dict[bytes, _First]]:
    """What was claimed under the numbers of these."""
    s = t.seen.c
    found: dict[tuple[str, int, int], dict[bytes, _First]] = {}
    for numbers in in_chunks({(item.device, item.boot, item.seq) for item in items}, 250):
        columns = (s.device, s.boot, s.seq, s.digest, s.time, s.received, s.journal, s.position)
        for device, boot, seq, digest, *first in c.execute(select(*columns).where(tuple_(s.device, s.boot, s.seq).in_(numbers))):
            found.setdefault((device, boot, seq), {})[digest] = _First(*first)
    return found


def _taken(c: Connection, items: Sequence[Seen]) -> dict[str, set[int]]:
    """The times of their devices that are in the way of theirs; each may be moved on by as many milliseconds as are."""
    s = t.seen.c
    by_device: dict[str, list[int]] = {}
    for item in items:
        by_device.setdefault(item.device, []).append(item.time)
    crowded = {device for device, times in by_device.items() if len(set(times)) < len(times)}
    for wanted in in_chunks({(item.device, item.time) for item in items}, 250):
        crowded |= {device for (device,) in c.execute(select(s.device).where(tuple_(s.device, s.time).in_(wanted)))}
    taken: dict[str, set[int]] = {}
    for device in crowded:
        times = by_device[device]
        reach = max(times) + SEEN_OBJECTS + len(times)
        taken[device] = set(c.execute(select(s.time).where(s.device == device, s.time.between(min(times), reach))).scalars())
    return taken


def _forget(c: Connection, devices: Iterable[str]) -> None:
    """Of each device keep the last `SEEN_OBJECTS`, and beyond them those in the last `SEEN_BYTES` of their journal."""
    kept = t.seen.alias("kept")
    oldest = select(kept.c.id).where(kept.c.device == bindparam("of")).order_by(kept.c.id.desc()).offset(SEEN_OBJECTS - 1).limit(1).scalar_subquery()
    done = select(t.state_cursor.c.position).where(t.state_cursor.c.journal == t.seen.c.journal).scalar_subquery()
    # a journal without a cursor has not committed anything yet, but for '': that of the lone ingest there was
    left_behind = or_(t.seen.c.position < func.coalesce(done, 0) - SEEN_BYTES, t.seen.c.journal == "")
    statement = delete(t.seen).where(and_(t.seen.c.device == bindparam("of"), t.seen.c.id < oldest, left_behind))
    if devices := sorted(devices):
        c.execute(statement, [{"of": device} for device in devices])


# ---------------------------------------------------------------- numbers of devices with a clock


def merge(c: Connection, arrivals: Sequence[Arrival]) -> dict[str, int]:
    """Take in what one ingest has read. Returns the duplicates to count, by device."""
    if not arrivals:
        return {}
    take(c, "changed", 0)  # the lock that orders writers: what is read here is written back
    duplicates: Counter[str] = Counter()
    spans: list[BootSpan] = []
    ordered = sorted(arrivals, key=lambda a: (a.device, a.boot))
    for found in in_chunks((key, list(group)) for key, group in groupby(ordered, key=lambda a: (a.device, a.boot))):
        known = {(span.device, span.boot): span for span in identities.some_boots(c, [key for key, _ in found])}
        for key, group in found:
            span, times = merged(known.get(key), group)
            spans.append(span)
            duplicates[key[0]] += times
    identities.write_boots(c, spans)
    return {device: times for device, times in duplicates.items() if times}


def merged(span: BootSpan | None, arrivals: Sequence[Arrival]) -> tuple[BootSpan, int]:
    """One boot of one device with these arrivals in it, and how many to count were there already."""
    duplicates = 0
    for part in _lives(span, arrivals):
        if part.begins:
            span = None
        span, times = _union(span, part.arrivals)
        duplicates += times
    if span is None:
        raise ValueError("no arrivals")
    return span, duplicates


class _Life(NamedTuple):
    begins: bool
    arrivals: list[Arrival]


def _lives(span: BootSpan | None, arrivals: Sequence[Arrival]) -> list[_Life]:
    """Arrivals by what one counting of `seq` holds: without boot a lower number at a later time is a restart."""
    if arrivals[0].boot != IMPLIED_BOOT:
        return [_Life(begins=False, arrivals=list(arrivals))]
    highest, newest = (span.highest, span.last_time) if span is not None else (-1, 0)
    lives = [_Life(begins=False, arrivals=[])]
    for arrival in sorted(arrivals, key=lambda a: (a.time, a.seq)):
        if arrival.seq < highest and 0 < newest < arrival.time:
            lives.append(_Life(begins=True, arrivals=[]))
            highest = -1
        lives[-1].arrivals.append(arrival)
        if arrival.seq > highest:
            highest, newest = arrival.seq, arrival.time
    return [life for life in lives if life.arrivals]


def _union(span: BootSpan | None, arrivals: Sequence[Arrival]) -> tuple[BootSpan, int]:
    numbers = Counter(a.seq for a in arrivals if a.counted)
    twice = sum(numbers.values()) - len(numbers)
    there = runs_of(span) if span is not None else []
    fresh = _runs(numbers)
    duplicates = twice + _overlap(there, fresh)
    runs = _joined([*there, *fresh, *_runs(a.seq for a in arrivals if not a.counted)])
    last = max(arrivals, key=lambda a: a.seq)
    before = span or BootSpan(device=last.device, boot=last.boot, lowest=last.seq, highest=last.seq)
    fallen = sorted({*before.fallen_back, *(a.seq for a in arrivals if a.fallen_back)})
    return (
        BootSpan(
            device=last.device,
            boot=last.boot,
            lowest=runs[0][0],
            highest=runs[-1][1],
            holes=tuple((a[1] + 1, b[0] - 1) for a, b in pairwise(runs))[-MAX_HOLES:],
            last_time=last.time or before.last_time if last.seq >= before.highest else before.last_time,
            fallen_back=tuple(fallen)[-200:],
        ),
        duplicates,
    )


def runs_of(span: BootSpan) -> list[Run]:
    """The numbers that came, as runs."""
    begins = [span.lowest, *(high + 1 for _, high in span.holes)]
    ends = [*(low - 1 for low, _ in span.holes), span.highest]
    return list(zip(begins, ends, strict=True))


def _runs(numbers: Iterable[int]) -> list[Run]:
    return _joined([(n, n) for n in numbers])


def _joined(runs: Iterable[Run]) -> list[Run]:
    """Sorted, those that touch made one."""
    out: list[Run] = []
    for low, high in sorted(runs):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out


def _overlap(a: Sequence[Run], b: Sequence[Run]) -> int:
    """How many numbers are in both; each list sorted, without overlaps."""
    count = i = j = 0
    while i < len(a) and j < len(b):
        count += max(0, min(a[i][1], b[j][1]) - max(a[i][0], b[j][0]) + 1)
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return count
