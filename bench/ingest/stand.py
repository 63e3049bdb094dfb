"""What is measured: real servers, `canhman ingest` or a script as the process it is, and a load from another process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from servers.checks import assert_judged
from servers.installation import Installation, ListenerSqlite, MosquittoInflux, Row
from servers.waiting import until

from adapters.sql.database import open_database
from bench.faults.world import broker_url
from bench.ingest.spent import Look, Spent, look, spent
from bench.peers.world import PeerWorld
from canhman.benching import Publisher, journal_end, register, wait_stored
from canhman.load import Load, device
from canhman.measuring import CursorClock, cpu_s, influx_cursor, resident_mb, speed, sqlite_cursor

PREFIX = "dev"
RESTS_S, RESTS_AT_LAST_S = 0.5, 15.0  # a process rests that takes less than a tenth of a core for so long
STEP_MS = 60_000
BEGIN_MS = 30 * 86_400_000  # before now


@dataclass(slots=True)
class Clockwork:
    """Times and boots of the loads of one store: each begins where the one before it ended, so that no row is written twice."""

    at: int = field(default_factory=lambda: time.time_ns() // 1_000_000 - BEGIN_MS)
    boot: int = 0

    def load(self, base: Load, *, devices: int, count: int, **more: Any) -> Load:
        """The next one."""
        self.boot += 1
        found = replace(base, devices=devices, count=count, begin=self.at, boot=self.boot, step_ms=STEP_MS, prefix=PREFIX, **more)
        self.at += (count // devices + 2) * STEP_MS
        return found


@dataclass(slots=True)
class Stand:
    """Ours: an installation, its registered devices, and the loads it has had."""

    rig: Installation
    base: Load
    servers: dict[str, int]
    work: Clockwork = field(default_factory=Clockwork)

    @property
    def journal(self) -> Path:
        """Its folder."""
        return self.rig.data / "journal"

    @property
    def cursor(self) -> Any:
        """Reads how far the store is."""
        return influx_cursor(self.journal / "influx.cursor") if isinstance(self.rig, MosquittoInflux) else sqlite_cursor(self.rig.data / "series.db")

    def client(self, name: str) -> None:
        """Which client ingest uses from its next start on."""
        assert isinstance(self.rig, MosquittoInflux)
        self.rig.env["CANHMAN_BROKER"] = broker_url(self.rig.broker.port, name)


@contextmanager
def broker_stand(devices: int) -> Iterator[Stand]:
    """Mosquitto as we ship it, and InfluxDB."""
    with tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder, ExitStack() as stack:
        rig = MosquittoInflux(Path(folder) / "rig", Path(folder) / "bytecode")
        stack.callback(rig.close)
        yield _stand(rig, devices, {"mosquitto": rig.broker._process.pid, "influxd": rig.influx._process.pid})  # type: ignore[union-attr] # both run


@contextmanager
def listener_stand(devices: int) -> Iterator[Stand]:
    """Our listener and SQLite."""
    with tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder, ExitStack() as stack:
        rig = ListenerSqlite(Path(folder) / "rig", Path(folder) / "bytecode")
        stack.callback(rig.close)
        yield _stand(rig, devices, {})


def _stand(rig: Installation, devices: int, servers: dict[str, int]) -> Stand:
    rig.env["CANHMAN_ENROL"] = "approve"
    db = open_database(f"sqlite:///{rig.data / 'registry.db'}")
    asyncio.run(register(db, PREFIX, devices))
    db.close()
    login = rig.login
    return Stand(rig=rig, base=Load(host=login.host, port=login.port, user=login.user, password=login.key, devices=1, count=1, begin=0), servers=servers)


# ------------------------------------------------------------ one measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Messages a second, CPU µs a message by process, by thread of ingest and of all else on the machine, messages a batch to the store."""

    per_second: float
    cpu_us: dict[str, float]
    threads_us: dict[str, float] = field(default_factory=dict)
    others_us: float = 0.0
    batch: float = 0.0
    most_mb: float = 0.0


def figure(clock: CursorClock, count: int, end: int, cost: Spent, most_mb: float) -> Figure:
    """Of one load, from the moves of the cursor and what was spent on it."""
    batches = max(1, len(clock.moves) - 1)
    told = {"cpu_us": cost.cpu_us, "threads_us": cost.threads_us, "others_us": cost.others_us}
    return Figure(per_second=speed(clock.moves, count, end), batch=count / batches, most_mb=most_mb, **told)  # type: ignore[arg-type] # its own fields


def publish(load: Load, timeout: float = 180) -> dict[str, float]:
    """Everything, and wait for its acknowledgements."""
    publisher = Publisher(load)
    try:
        publisher.go()
        return publisher.wait(timeout)
    finally:
        publisher.close()


def idle_start(stand: Stand, client: str) -> Look:
    """What a start with nothing to do costs, until the process rests: what it knows of its devices is read back by then. Its session is there."""
    stand.client(client)
    for _ in range(2):  # the first finishes what the load before has left to judge
        stand.rig.start()
        found = _at_rest(stand.rig.pid)
        stand.rig.stop()
    return found


def _at_rest(pid: int) -> Look:
    """As soon as it takes less than a tenth of a core."""
    found, ended = look({"ingest": pid}), time.monotonic() + RESTS_AT_LAST_S
    while time.monotonic() < ended:
        time.sleep(RESTS_S)
        later = look({"ingest": pid})
        if later.processes["ingest"] - found.processes["ingest"] < 0.1 * RESTS_S:
            break
        found = later
    return found


def drain(stand: Stand, *, devices: int, count: int, client: str) -> Figure:
    """A backlog at the broker, taken by ingest from its start on. It begins before ingest says it is ready: what a start costs is taken off."""
    idle = idle_start(stand, client)
    publish(stand.work.load(stand.base, devices=devices, count=count))
    begin = journal_end(stand.journal)
    clock = CursorClock(read=stand.cursor, every_s=0.002).start()
    now = look(stand.servers)
    before = Look(processes={**now.processes, **idle.processes}, threads=idle.threads, machine=now.machine + idle.processes["ingest"])
    stand.rig.start()
    pids = {"ingest": stand.rig.pid, **stand.servers}
    try:
        end = wait_stored(clock, stand.journal, begin=begin, at_least=150 * count)
        cost = spent(before, look(pids), count)
    finally:
        clock.stop()
    found = figure(clock, count, end, cost, resident_mb(pids["ingest"]))
    stand.rig.stop()
    return found


def live(stand: Stand, *, devices: int, count: int, client: str) -> Figure:
    """Published as fast as it goes while ingest runs; the last stored message ends it."""
    stand.client(client)
    stand.rig.start()
    pids = {"ingest": stand.rig.pid, **stand.servers}
    publisher = Publisher(stand.work.load(stand.base, devices=devices, count=count))
    begin = journal_end(stand.journal)
    clock = CursorClock(read=stand.cursor, pid=pids["ingest"], every_s=0.002).start()
    before = look(pids)
    try:
        publisher.go()
        publisher.wait(180)
        end = wait_stored(clock, stand.journal, begin=begin, at_least=150 * count)
        cost = spent(before, look(pids), count)
    finally:
        clock.stop()
        publisher.close()
    found = figure(clock, count, end, cost, clock.most_mb)
    stand.rig.stop()
    return found


def script(world: PeerWorld, work: Clockwork, *, devices: int, count: int) -> Figure:
    """The same backlog taken by a script; its clock is what InfluxDB counts, asked ten times a second."""
    base = Load(host="127.0.0.1", port=world.broker.port, devices=1, count=1, begin=0)
    world.start()
    before = cpu_s(world.pid)  # of a start with nothing to do
    world.stop()  # its session is there
    before_rows = world.count()
    publish(work.load(base, devices=devices, count=count))
    world.start()
    pid, began = world.pid, world.connected_at
    seen: list[tuple[float, int]] = [(time.monotonic(), before_rows)]

    def done() -> bool:
        rows = world.count()
        if rows != seen[-1][1]:
            seen.append((time.monotonic(), rows))
        return rows >= before_rows + count

    until(done, 120, lambda: f"all is stored, so far {seen[-1][1] - before_rows} of {count}", every=0.1)
    cpu = 1e6 * (cpu_s(pid) - before) / count
    world.stop()
    return Figure(per_second=count / (seen[-1][0] - began), cpu_us={"ingest": cpu})


# ------------------------------------------------------------ what is stored is right


def checked(stand: Stand, devices: Sequence[int]) -> int:
    """Rows of these devices in the store, judged as the batch form judges them; the store is asked past our own code. How many rows."""
    stand.rig.start()
    try:
        until(lambda: stand.rig.is_drained, 60, "all is stored and judged")
    finally:
        stand.rig.stop()
    names = {device(PREFIX, number) for number in devices}
    rows = chosen_rows(stand, sorted(names))
    assert_judged(stand.rig, rows)
    return len(rows)


def chosen_rows(stand: Stand, names: Sequence[str]) -> list[Row]:
    """All rows of some devices."""
    if not isinstance(stand.rig, MosquittoInflux):
        return [row for row in stand.rig.rows() if row.sensor in names]
    pattern = "|".join(names)
    found = []
    for measurement in ("water", "device"):
        query = f'SELECT * FROM "{measurement}" WHERE "sensor" =~ /^({pattern})$/ GROUP BY "station", "point", "sensor"'  # noqa: S608 names of our own
        for series in stand.rig.influx.query(query, db="canhman"):
            found += list(_rows(measurement, series))
    return found


def _rows(measurement: str, series: dict[str, Any]) -> Iterator[Row]:
    place = {name: number for number, name in enumerate(series["columns"])}
    tags = series["tags"]
    for values in series["values"]:
        for name in (c for c in place if f"{c}_qc" in place):
            if values[place[name]] is not None:
                bits = values[place[f"{name}_qt"]] if f"{name}_qt" in place else 0
                where = (tags["station"], tags["point"], tags["sensor"], f"{measurement}.{name}")
                yield Row(*where, values[place["time"]], float(values[place[name]]), values[place[f"{name}_qc"]], bits or 0, values[place["rx"]])
