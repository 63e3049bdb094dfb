"""What makes a redelivery recognisable, what devices say of themselves, and counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, Text, and_, bindparam, case, cast, delete, func, or_, select

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, incoming, others, upsert
from core.state import SEEN_BYTES, SEEN_OBJECTS, BootSpan, DeviceClock, DeviceStatus, Gap, Seen

BOOTS = 1000  # remembered of a device with a clock


def write_seen(c: Connection, rows: Sequence[Seen], *, cursor: int) -> None:
    """Remember these objects, which stand before `cursor` in the journal; the first arrival of (device, boot, seq, digest) stays.

    Keeps the last `SEEN_OBJECTS` of each device, and beyond them those in the last `SEEN_BYTES` of the journal.
    """
    values = [
        {
            "device": s.device,
            "boot": int(s.boot),
            "seq": int(s.seq),
            "time": int(s.time),
            "received": int(s.received),
            "position": int(s.position),
            "digest": bytes(s.digest),
        }
        for s in rows
    ]
    if not values:
        return
    upsert(c, t.seen, values, key=("device", "boot", "seq", "digest"))
    # a position past the cursor is one of another journal
    left_behind = or_(t.seen.c.position < cursor - SEEN_BYTES, t.seen.c.position > cursor)
    _forget(c, t.seen, t.seen.c.id, SEEN_OBJECTS, {s.device for s in rows}, only=left_behind)


def write_boots(c: Connection, rows: Sequence[BootSpan]) -> None:
    """The last word on each (device, boot). Keeps the 1,000 boots of a device with the newest readings."""
    values = [
        {
            "device": b.device,
            "boot": int(b.boot),
            "lowest": int(b.lowest),
            "highest": int(b.highest),
            "holes": [[int(a), int(z)] for a, z in b.holes],
            "last_time": int(b.last_time),
            "fallen_back": [int(seq) for seq in b.fallen_back],
        }
        for b in rows
    ]
    if not values:
        return
    upsert(c, t.boot_span, values, key=("device", "boot"), update=others(t.boot_span, ("device", "boot")))
    _forget(c, t.boot_span, t.boot_span.c.last_time, BOOTS, {b.device for b in rows})


def _forget(c: Connection, table: Table, age: Column[Any], most: int, devices: set[str], *, only: ColumnElement[bool] | None = None) -> None:
    """Drop what is older than the `most` newest of each device (of it, `only` such rows)."""
    devices = _with_more(c, table, most, devices)  # hardly ever one: ten thousand asked for one by one took a tenth of a commit
    if not devices:
        return
    kept = table.alias("kept")
    oldest_kept = select(kept.c[age.name]).where(kept.c.device == bindparam("of")).order_by(kept.c[age.name].desc()).offset(most - 1).limit(1).scalar_subquery()
    old = age < oldest_kept
    statement = delete(table).where(table.c.device == bindparam("of"), old if only is None else and_(only, old))
    c.execute(statement, [{"of": device} for device in sorted(devices)])


def _with_more(c: Connection, table: Table, most: int, devices: set[str]) -> set[str]:
    """Those of `devices` that have more than `most` rows."""
    found: set[str] = set()
    for some in in_chunks(sorted(devices)):
        found.update(c.execute(select(table.c.device).where(table.c.device.in_(some)).group_by(table.c.device).having(func.count() > most)).scalars())
    return found


def write_statuses(c: Connection, rows: Sequence[DeviceStatus]) -> None:
    """The last word of each device: an older one changes nothing."""
    values = [{"device": s.device, "status": s.status, "at": int(s.at)} for s in rows]
    new, old = incoming(t.device_status), t.device_status.c
    later = new.at >= old.at
    update = {name: case((later, new[name]), else_=old[name]) for name in ("status", "at")}
    upsert(c, t.device_status, values, key=["device"], update=update)


def write_clocks(c: Connection, rows: Sequence[DeviceClock]) -> None:
    """The last measurement of each device's clock: one of earlier messages changes nothing."""
    names = ("verdict", "offset_ms", "spread_ms", "drift_ms", "at", "reset_at", "reset_to", "memory")
    values = [{"device": k.device, **{name: getattr(k, name) for name in names}} for k in rows]
    new, old = incoming(t.device_clock), t.device_clock.c
    update = {name: case((new.at >= old.at, new[name]), else_=old[name]) for name in names}
    upsert(c, t.device_clock, values, key=["device"], update=update)


def add_counters(c: Connection, added: Mapping[str, int]) -> None:
    """Add to each counter."""
    values = [{"name": name, "value": int(n)} for name, n in sorted(added.items())]
    upsert(c, t.counter, values, key=["name"], update={"value": t.counter.c.value + incoming(t.counter).value})


def seen(c: Connection, device: str) -> list[Seen]:
    """Oldest first."""
    columns = [column for column in t.seen.columns if column.name != "id"]
    return [Seen(**row._mapping) for row in c.execute(select(*columns).where(t.seen.c.device == device).order_by(t.seen.c.id))]


_AT_ONCE = 200  # devices asked for in one query


def recalled(c: Connection, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
    """`seen` and `boots` of many devices: ten thousand, one by one, took seven seconds at a start."""
    found: dict[str, tuple[list[Seen], list[BootSpan]]] = {device: ([], []) for device in devices}
    columns = [column for column in t.seen.columns if column.name != "id"]
    for first in range(0, len(devices), _AT_ONCE):
        some = devices[first : first + _AT_ONCE]
        for row in c.execute(select(*columns).where(t.seen.c.device.in_(some)).order_by(t.seen.c.id)):
            found[row.device][0].append(Seen(**row._mapping))
        for row in c.execute(select(t.boot_span).where(t.boot_span.c.device.in_(some)).order_by(t.boot_span.c.boot)):
            found[row.device][1].append(_span(row))
    return found


def some_boots(c: Connection, keys: Sequence[tuple[str, int]]) -> list[BootSpan]:
    """Those of some (device, boot), and maybe a few more; at most some hundred keys."""
    s = t.boot_span.c
    query = select(t.boot_span).where(s.device.in_({device for device, _ in keys}), s.boot.in_({boot for _, boot in keys}))
    return [_span(row) for row in c.execute(query)]


def _span(row: Row[Any]) -> BootSpan:
    return BootSpan(**{**row._mapping, "holes": tuple((a, z) for a, z in row.holes), "fallen_back": tuple(row.fallen_back)})


def boots(c: Connection, device: str) -> list[BootSpan]:
    """By boot."""
    rows = c.execute(select(t.boot_span).where(t.boot_span.c.device == device).order_by(t.boot_span.c.boot))
    return [_span(row) for row in rows]


def gaps(c: Connection, device: str | None) -> list[Gap]:
    """By device and boot; a boot without a hole is none."""
    query = select(t.boot_span).where(cast(t.boot_span.c.holes, Text) != "[]")
    rows = c.execute(query if device is None else query.where(t.boot_span.c.device == device))
    found = [
        Gap(device=r.device, boot=r.boot, lowest=r.lowest, highest=r.highest, holes=tuple((a, z) for a, z in r.holes), last_time=r.last_time) for r in rows
    ]
    return sorted(found, key=lambda gap: (gap.device, gap.last_time, gap.boot))


def device_clocks(c: Connection) -> list[DeviceClock]:
    """By device."""
    return sorted((DeviceClock(**row._mapping) for row in c.execute(select(t.device_clock))), key=lambda clock: clock.device)


def device_statuses(c: Connection) -> list[DeviceStatus]:
    """By device."""
    return sorted((DeviceStatus(**row._mapping) for row in c.execute(select(t.device_status))), key=lambda s: s.device)


def counters(c: Connection) -> dict[str, int]:
    """All counters, by name."""
    return dict(sorted((row.name, row.value) for row in c.execute(select(t.counter))))
