"""`canhman bench ingest`: the whole path measured against the servers in the settings, in a folder and a database of its own.

Ingest runs as the process it always is, the publisher as another (`canhman.load`). What is measured: the cursor's way through the
journal, CPU of all processes on this machine, memory, and for each message the time from publish to stored.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from adapters.journal import FileJournal
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from canhman import wiring
from canhman.load import Load, device, spec
from canhman.measuring import CursorClock, cpu_s, influx_cursor, listener_pid, resident_mb, speed, sqlite_cursor
from canhman.settings import PREFIX, Settings
from core.errors import RefusedError, UnavailableError
from core.place import Deployment, Device, Station
from registry.broker_files import join_key

CLIENT_ID = "canhman-bench"  # never that of a real ingest: its session, and what waits there, would be taken over
DATABASE = "canhman_bench"
START_S = 60.0
STALL_S = 120.0
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What one load cost. `cpu_us` by process, per message."""

    messages: int
    seconds: float
    per_second: float
    cpu_us: Mapping[str, float]
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Both phases, and memory of ingest [MiB]."""

    broker: str
    store: str
    devices: int
    full: Phase
    steady: Phase | None
    most_mb: float
    steady_mb: float


# ------------------------------------------------------------ parts that bench/ uses too


async def register(db: SqlDatabase, prefix: str, count: int, *, org: str = "default") -> None:
    """Devices that stand at a station each."""
    for first in range(0, count, 1000):
        names = [device(prefix, n) for n in range(first, min(count, first + 1000))]
        items: list[Device | Station | Deployment] = [Device(id=name, org=org) for name in names]
        items += [Station(id=name, org=org, name=name) for name in names]
        items += [Deployment(device=name, channel="main", station=name, point="main") for name in names]
        await db.put(*items, actor="bench")


class Publisher:
    """`canhman.load` as a process: `go` begins, `wait` gives what became of it."""

    def __init__(self, load: Load) -> None:
        # PYTHONPATH: from a checkout that is not installed too
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))}
        self._process = subprocess.Popen([sys.executable, "-m", "canhman.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)
        self.load = load
        self._tell(spec(load))
        if self._line() != "ready":
            raise UnavailableError(f"the publisher did not begin at {load.host}:{load.port}; what it said stands above")

    def go(self) -> None:
        """Publish."""
        self._tell("go")

    def wait(self, timeout: float) -> dict[str, float]:
        """Until everything is acknowledged. Raises UnavailableError."""
        try:
            out, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.close()
            raise UnavailableError(f"not everything was acknowledged within {timeout:.0f} s") from None
        if not out.strip():
            raise UnavailableError("the publisher ended early; what it said stands above")
        return dict(json.loads(out.strip().splitlines()[-1]))

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def _line(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout is not None else ""


def journal_end(folder: Path) -> int:
    """The position after the last byte of the journal in `folder`."""
    last = max(folder.glob("*.cmj"), key=lambda path: int(path.stem), default=None)
    return int(last.stem) + last.stat().st_size if last else 0


def positions(folder: Path, begin: int, count: int) -> NDArray[np.int64]:
    """Where each of the `count` records after `begin` ends. Nobody may write to the journal meanwhile: opening it cuts a torn end."""
    journal = FileJournal(folder)
    journal.open()
    try:
        starts: list[int] = []
        at = begin
        while len(starts) < count:
            found = journal.read(at, limit=10_000)
            if not found.records:
                break
            starts += [position for position, _ in found.records]
            at = found.next
        return np.array([*starts[1:count], at], dtype=np.int64)
    finally:
        journal.close()


def latencies(ends: NDArray[np.int64], published: NDArray[np.float64], moves: list[tuple[float, int]]) -> NDArray[np.float64]:
    """Seconds from publish to stored of each message: the first move of the cursor past its record."""
    count = min(len(ends), len(published))
    place = np.searchsorted(np.array([position for _, position in moves]), ends[:count])
    times = np.array([moment for moment, _ in moves] + [np.nan])
    return np.asarray(times[np.minimum(place, len(moves))] - published[:count], dtype=np.float64)


def wait_stored(clock: CursorClock, journal: Path, *, begin: int = 0, at_least: int = 0, stall_s: float = STALL_S) -> int:
    """Until the cursor has everything in the journal, and that is `at_least` bytes more than `begin`; where the journal ends. Raises UnavailableError."""
    moved, position = time.monotonic(), -1
    while True:
        end = journal_end(journal)
        if clock.position >= end >= begin + at_least:
            return end
        if (now := max(clock.position, end)) != position:
            moved, position = time.monotonic(), now
        if time.monotonic() - moved > stall_s:
            raise UnavailableError(f"for {stall_s:.0f} s nothing was stored: the journal ends at {end}, the store has it up to {clock.position}")
        time.sleep(0.005)


# ------------------------------------------------------------ the command


@dataclass(slots=True)
class Stand:
    """What is measured: settings of its own, ingest as a process."""

    settings: Settings  # of the bench's own installation
    env: dict[str, str]
    load: Load  # with host, port and user
    folder: Path
    servers: dict[str, int]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def journal(self) -> Path:
        """Its folder."""
        return self.folder / "journal"

    @property
    def cursor(self) -> Callable[[], int]:
        """Of the store."""
        if self.settings.store_address.kind == "sqlite":
            return sqlite_cursor(self.folder / "series.db")
        return influx_cursor(self.journal / "influx.cursor")

    def start(self) -> int:
        """Ingest, until it takes messages; its process. Raises UnavailableError with its last words."""
        path = self.folder / "ingest.log"
        with path.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "canhman.benching"], env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not re.search("listening for devices|subscribed at", path.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError(f"ingest did not start:\n{path.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        return self.process.pid

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def ingest(settings: Settings, *, messages: int, devices: int, rate: float, seconds: float, yes: bool, say: Said) -> Report:
    """Measure. Raises RefusedError where that could touch what is real, UnavailableError where a server is away."""
    address = settings.broker_address
    if not address.embedded and not yes:
        raise RefusedError(
            f"CANHMAN_BROKER is a broker at {address.host}:{address.port}: whatever is subscribed there would receive the messages of this measurement "
            f"(devices bench00000 … of org default), a real ingest too. At a broker of its own say --yes; without CANHMAN_BROKER our own listener is measured"
        )
    if settings.store_address.api == "v2" and settings.store_address.kind == "influxdb" and not yes:
        raise RefusedError(f"api=v2: a bucket {DATABASE} would be made and would stay; say --yes where that is right")
    with _stand(settings, devices) as stand:
        say(f"{devices} devices registered in a folder of their own; ingest starts")
        pid = stand.start()
        clock = CursorClock(read=stand.cursor, pid=pid).start()
        try:
            now = time.time_ns() // 1_000_000
            begin = now - 400 * 86_400_000
            say(f"{messages:,} messages as fast as they go")
            connections = 4 if address.embedded else 1  # our listener reads at most 20,000 a second of one
            full = _phase(stand, clock, pid, replace(stand.load, count=messages, devices=devices, begin=begin, boot=1, connections=connections))
            steady, begun = None, journal_end(stand.journal)
            if rate:
                count = int(rate * seconds)
                begin += (messages // devices + 10) * stand.load.step_ms
                say(f"{count:,} messages at {rate:,.0f} a second")
                load = replace(stand.load, count=count, devices=devices, begin=begin, boot=2, rate=rate, times=str(stand.folder / "times.npy"))
                steady = _phase(stand, clock, pid, load)
            steady_mb = resident_mb(pid)
        finally:
            clock.stop()
        if steady is not None:
            stand.stop()  # nobody may open a journal that is written to
            waits = 1000 * latencies(positions(stand.journal, begun, steady.messages), np.load(load.times), clock.moves)
            steady = replace(steady, p50_ms=float(np.nanpercentile(waits, 50)), p99_ms=float(np.nanpercentile(waits, 99)))
        return Report(
            broker="listener of its own" if address.embedded else f"broker at {address.host}:{address.port}",
            store=stand.settings.store_address.kind,
            devices=devices,
            full=full,
            steady=steady,
            most_mb=clock.most_mb,
            steady_mb=steady_mb,
        )


def _phase(stand: Stand, clock: CursorClock, pid: int, load: Load) -> Phase:
    publisher = Publisher(load)
    try:
        pids = {"ingest": pid} | stand.servers
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        begin = journal_end(stand.journal)
        first = len(clock.moves) - 1
        publisher.go()
        told = publisher.wait(STALL_S + load.count / 500)
        end = wait_stored(clock, stand.journal, begin=begin, at_least=100 * load.count)
        done = next(moment for moment, position in clock.moves if position >= end)
        cpu = {name: 1e6 * (cpu_s(pid) - before[name]) / load.count for name, pid in pids.items()}
    finally:
        publisher.close()
    moves = clock.moves[first:]
    found = Phase(messages=load.count, seconds=done - told["began"], per_second=load.count / (done - told["began"]), cpu_us=cpu)
    return found if load.rate else replace(found, per_second=speed(moves, load.count, end) or found.per_second)


@contextmanager
def _stand(settings: Settings, devices: int) -> Iterator[Stand]:
    """An installation in a temporary folder; in InfluxDB a database that is dropped again, at a broker a session that is ended again."""
    folder = Path(tempfile.mkdtemp(prefix="canhman-bench-"))
    changed: dict[str, Any] = {"data": folder, "database": "", "clock": "system", "enrol": "approve"}
    address, store = settings.broker_address, settings.store_address
    if address.embedded:
        changed["broker"] = f"embedded://127.0.0.1:{_free_port()}"
    if store.kind == "sqlite":
        changed["store"] = ""
    else:
        name = f"{DATABASE}_{os.getpid()}" if store.api == "v1" else DATABASE
        changed["store"] = f"influxdb://{store.host}:{store.port}/{name}?api={store.api}&tls={int(store.tls)}" + (f"&org={store.org}" if store.org else "")
    own = settings.model_copy(update=changed)
    env = {k: v for k, v in os.environ.items() if k not in {PREFIX + n for n in ("DATABASE", "STORE", "CLOCK", "WORKER")}}
    env |= {PREFIX + "DATA": str(folder), PREFIX + "BROKER": own.broker, PREFIX + "ENROL": "approve"} | ({PREFIX + "STORE": own.store} if own.store else {})
    if not address.embedded and (password := wiring.broker_password(settings)):
        env[PREFIX + "BROKER_PASSWORD"] = password
    stand = None
    try:
        prepare(own.database_url)
        db = open_database(own.database_url)
        asyncio.run(register(db, "bench", devices))
        db.close()
        asyncio.run(_made(own))
        stand = Stand(settings=own, env=env, load=_login(settings, own, devices), folder=folder, servers=_servers(settings))
        yield stand
    finally:
        if stand is not None:
            stand.stop()
        if store.kind == "influxdb" and store.api == "v1":
            _drop(own)
        shutil.rmtree(folder, ignore_errors=True)


async def _made(own: Settings) -> None:
    """The store of the measurement."""
    store = wiring.store(own)
    await store.create()
    await store.close()


def _drop(own: Settings) -> None:
    """The measurement's database at InfluxDB 1.x."""
    address, token = own.store_address, own.store_token.get_secret_value()
    user, _, password = token.partition(":")
    url = f"http{'s' if address.tls else ''}://{address.host}:{address.port}/query"
    with suppress(httpx.HTTPError):
        httpx.post(url, data={"q": f'DROP DATABASE "{address.database}"'}, auth=(user, password) if token else None, timeout=30)


def _login(settings: Settings, own: Settings, devices: int) -> Load:
    """Where and as whom the publisher connects."""
    address = own.broker_address
    load = Load(host=address.host, port=address.port, devices=devices, count=1, begin=0, boot=random.SystemRandom().randrange(1, 1000))
    if address.embedded:
        return replace(load, user="org:default", password=join_key(wiring.secret(own), "default", 1))
    with suppress(UnavailableError, RefusedError):
        user, password = wiring.login(settings, "default", None)
        return replace(load, user=user, password=password, tls=address.tls, tls_ca=str(settings.broker_ca or ""))
    return load


def _servers(settings: Settings) -> dict[str, int]:
    """Broker and store where they run on this machine."""
    found = {}
    local = ("127.0.0.1", "localhost", "::1")
    address, store = settings.broker_address, settings.store_address
    if not address.embedded and address.host in local and (pid := listener_pid(address.port)):
        found["broker"] = pid
    if store.kind == "influxdb" and store.host in local and (pid := listener_pid(store.port)):
        found["store"] = pid
    return found


def _free_port() -> int:
    """Below the ephemeral range, where no client's own connection takes it first."""
    for _ in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UnavailableError("no free port between 20000 and 32000")


def main() -> None:
    """Ingest under a client id of its own."""
    wiring.INGEST_CLIENT_ID = CLIENT_ID
    from canhman.cli import main as canhman

    sys.argv = ["canhman", "ingest"]
    canhman()


if __name__ == "__main__":
    main()
