"""Identities and the simulated clock over SQL: remembered once, bounded per device, the last word kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adapters.sql import SqlDatabase
from core.clock import SimTime
from core.state import SEEN_BYTES, BootSpan, Commit, DeviceClock, DeviceStatus, Seen


def seen(seq: int, *, device: str = "kl01", boot: int = 1, digest: bytes = b"d", time: int = 5) -> Seen:
    return Seen(device=device, boot=boot, seq=seq, time=time, received=7, position=seq, digest=digest)


def commit(
    database: SqlDatabase,
    *,
    seen: tuple[Seen, ...] = (),
    boots: tuple[BootSpan, ...] = (),
    statuses: tuple[DeviceStatus, ...] = (),
    cursor: int = 1,
) -> None:
    asyncio.run(database.commit(Commit(journal="j", state_cursor=cursor, seen=seen, boots=boots, statuses=statuses)))


def test_the_first_arrival_stays(database: SqlDatabase) -> None:
    """The same object again keeps its first time; the same number with other readings is remembered beside it."""
    commit(database, seen=(seen(1), seen(2)))
    commit(database, seen=(seen(1, time=99), seen(2, digest=b"other", time=6)))
    assert asyncio.run(database.seen("kl01")) == [seen(1), seen(2), seen(2, digest=b"other", time=6)]
    assert asyncio.run(database.seen("bc01")) == []


def test_only_the_last_thousand(database: SqlDatabase) -> None:
    """Of each device the last 1,000 objects are remembered, whatever other devices send."""
    commit(database, seen=tuple(seen(n, device=d) for n in range(700) for d in ("kl01", "bc01")), cursor=2 * SEEN_BYTES)
    commit(database, seen=tuple(seen(n) for n in range(700, 1300)), cursor=2 * SEEN_BYTES)
    assert [s.seq for s in asyncio.run(database.seen("kl01"))] == list(range(300, 1300))
    assert len(asyncio.run(database.seen("bc01"))) == 700


def test_what_stands_in_the_end_of_the_journal_is_remembered_too(database: SqlDatabase) -> None:
    """All of what may be in flight, however many objects it is; once the journal has gone on the last 1,000 are enough."""
    commit(database, seen=tuple(replace(seen(n), position=n) for n in range(3000)), cursor=3000)
    assert [s.seq for s in asyncio.run(database.seen("kl01"))] == list(range(3000))
    commit(database, seen=(replace(seen(3000), position=SEEN_BYTES + 1000),), cursor=SEEN_BYTES + 1001)
    assert [s.seq for s in asyncio.run(database.seen("kl01"))] == list(range(1001, 3001))
    commit(database, seen=(replace(seen(3001), position=2 * SEEN_BYTES),), cursor=2 * SEEN_BYTES + 1)
    assert [s.seq for s in asyncio.run(database.seen("kl01"))] == list(range(2002, 3002))


def test_boots(database: SqlDatabase) -> None:
    """The last word on each boot, holes included; of a device that restarts all the time the newest 1,000."""
    span = BootSpan(device="kl01", boot=3, lowest=1, highest=9, holes=((4, 5),), last_time=50, fallen_back=(7, 8))
    commit(database, boots=(replace(span, holes=(), fallen_back=()), replace(span, boot=2)))
    commit(database, boots=(span,))
    assert asyncio.run(database.boots("kl01")) == [replace(span, boot=2), span]
    commit(database, boots=tuple(replace(span, boot=100 + n, last_time=100 + n) for n in range(1000)))
    assert [b.boot for b in asyncio.run(database.boots("kl01"))] == list(range(100, 1100))


def test_many_devices_at_once(database: SqlDatabase) -> None:
    """The same as of each by itself; of one nobody met nothing."""
    devices = [f"d{n}" for n in range(450)]
    commit(
        database,
        seen=tuple(seen(n, device=d) for n in range(2) for d in devices[::3]),
        boots=tuple(BootSpan(device=d, boot=b, lowest=1, highest=5, holes=((2, 3),), last_time=b) for d in devices[::2] for b in (2, 1)),
    )
    found = asyncio.run(database.recalled([*devices, "bc01"]))
    assert found == {d: (asyncio.run(database.seen(d)), asyncio.run(database.boots(d))) for d in [*devices, "bc01"]}


def test_boots_without_times_are_kept(database: SqlDatabase) -> None:
    """Where age does not tell boots apart none is thrown away."""
    commit(database, boots=tuple(BootSpan(device="kl01", boot=n, lowest=0, highest=0) for n in range(1100)))
    assert len(asyncio.run(database.boots("kl01"))) == 1100


def test_the_last_status(database: SqlDatabase) -> None:
    """A status older than the one known changes nothing."""
    commit(database, statuses=(DeviceStatus(device="kl01", status="online", at=10), DeviceStatus(device="bc01", status="online", at=1)))
    commit(database, statuses=(DeviceStatus(device="kl01", status="offline", at=20), DeviceStatus(device="bc01", status="offline", at=0)))
    assert asyncio.run(database.device_statuses()) == [
        DeviceStatus(device="bc01", status="online", at=1),
        DeviceStatus(device="kl01", status="offline", at=20),
    ]


def test_the_last_measurement_of_a_clock(database: SqlDatabase) -> None:
    """Field by field, also without an offset; one of earlier messages, read again at a restart, changes nothing."""
    known = DeviceClock(device="kl01", verdict="zone", offset_ms=25_200_000, spread_ms=40, drift_ms=1.5, at=20, memory={"delays": [1, None]})
    lost = DeviceClock(device="bc01", verdict="lost", offset_ms=None, spread_ms=None, drift_ms=None, at=9, reset_at=9, reset_to=-5)
    for clocks in ((known, lost), (replace(known, at=19, verdict="good"), replace(lost, at=10, verdict="good"))):
        asyncio.run(database.commit(Commit(journal="j", state_cursor=1, clocks=clocks)))
    assert asyncio.run(database.device_clocks()) == [replace(lost, at=10, verdict="good"), known]


def test_gaps_by_device(database: SqlDatabase) -> None:
    """Only boots with holes, all devices' or one's, the boot with the newest reading last."""
    span = BootSpan(device="kl01", boot=9, lowest=0, highest=20, holes=((4, 5), (7, 7)), last_time=50)
    commit(database, boots=(span, replace(span, boot=3, last_time=60), replace(span, boot=4, holes=()), replace(span, device="bc01", holes=((1, 1),))))
    found = asyncio.run(database.gaps())
    assert [(g.device, g.boot, g.missing) for g in found] == [("bc01", 9, 1), ("kl01", 9, 3), ("kl01", 3, 3)]
    assert asyncio.run(database.gaps("kl01")) == found[1:]
    assert found[1].holes == ((4, 5), (7, 7))
    assert asyncio.run(database.gaps("kl02")) == []


def test_clock(database: SqlDatabase) -> None:
    """No row before the first start; then the last one saved."""
    assert asyncio.run(database.load_clock()) is None
    for sim_ms in (1, 2):
        asyncio.run(database.save_clock(SimTime(sim_ms=sim_ms, speed=60.0, anchor_ms=9)))
    assert asyncio.run(database.load_clock()) == SimTime(sim_ms=2, speed=60.0, anchor_ms=9)
