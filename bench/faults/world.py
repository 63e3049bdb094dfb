"""What the rows are run against: an installation of real processes, and what its store itself says it has.

`OurWorld` is `canhman ingest` between Mosquitto and InfluxDB (with either client) or with our listener and SQLite;
`bench.peers.world` is the same broker and store with the script a user would write. Rows know only this face.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from servers.influxd import InfluxD
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.mosquitto import Mosquitto
from servers.waiting import until

from bench.load.readings import Reading, encoded, readings
from bench.load.sender import Sender
from registry.broker_files import INGEST_USER

BROKER, LISTENER = "broker", "listener"
SETTLE_S = 120.0
OWN_SOURCE = "adapters.mqtt_own:OwnSource"
_numbers = itertools.count(1)


class Stored(NamedTuple):
    """One row of the store."""

    device: str
    time: int
    value: float


class World(Protocol):
    """One path from publisher to store."""

    name: str  # in the table
    kind: str  # BROKER or LISTENER

    def start(self) -> None:
        """Start ingest and wait until it takes messages."""
        ...

    def kill(self) -> None:
        """kill -9 of ingest."""
        ...

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        ...

    @property
    def runs(self) -> bool:
        """Whether ingest is alive."""
        ...

    def sender(self, found: Sequence[Reading], *, window: int = 200, rate: float | None = None, repeat: int = 0) -> Sender:
        """A publisher of these, not started."""
        ...

    def down(self) -> None:
        """Ingest runs no more, whatever became of it."""
        ...

    def stored(self, tag: str) -> list[Stored]:
        """Every conductivity of the devices whose names begin with `tag`, asked of the store."""
        ...

    def settle(self, timeout: float = SETTLE_S) -> None:
        """Wait until everything acknowledged so far has had its chance to be stored."""
        ...

    def level(self, timeout: float = SETTLE_S) -> None:
        """Wait until what arrives now is stored."""
        ...

    def store_paused(self, seconds: float) -> None:
        """The store stands still (SIGSTOP, or a lock on its file), and goes on."""
        ...

    def store_stopped(self, seconds: float) -> None:
        """The store is stopped and started again."""
        ...

    def close(self) -> None:
        """End every process."""
        ...


class OurWorld:
    """Ours."""

    def __init__(self, rig: Installation, *, name: str, kind: str, client: str = "") -> None:
        self.rig = rig
        self.name = name
        self.kind = kind
        self.client = client
        self.store_port = 0

    def start(self, *, env: dict[str, str] | None = None, under: Sequence[str] = ()) -> None:
        """`env` is added for this start; `under` a command that runs it, such as faketime."""
        before = self.rig.env
        self.rig.env = before | (env or {})
        try:
            self.rig.start()
        finally:
            self.rig.env = before

    def start_dying(self, target: str, when: str, nth: int) -> None:
        """Start an ingest that kills itself at one point of its path."""
        self.rig.start_dying(target, when, nth)

    def kill(self) -> None:
        self.rig.kill()

    def stop(self) -> int:
        return self.rig.stop()

    def down(self) -> None:
        if self.rig.launched:
            self.rig.kill()

    @property
    def runs(self) -> bool:
        return self.rig.runs

    # ------------------------------------------------------------ what is sent

    def sender(self, found: Sequence[Reading], *, window: int = 200, rate: float | None = None, repeat: int = 0, port: int = 0) -> Sender:
        """`port`: of a proxy before the listener or broker."""
        login = self.rig.login
        who, at = f"load-{next(_numbers)}", port or login.port
        return Sender(login.host, at, encoded(found), client_id=who, user=login.user, password=login.key, window=window, rate=rate, repeat=repeat)

    # ------------------------------------------------------------ what is stored

    def stored(self, tag: str) -> list[Stored]:
        if isinstance(self.rig, MosquittoInflux):
            return influx_rows(self.rig.influx, "canhman", tag)
        assert isinstance(self.rig, ListenerSqlite)
        sql = "SELECT sensor, time, value FROM reading JOIN series ON series.id = reading.series WHERE quantity = 'water.ec' AND sensor GLOB ?"
        with closing(sqlite3.connect(f"file:{self.rig.series_path}?mode=ro", uri=True, timeout=30)) as db:
            return [Stored(*row) for row in db.execute(sql, (f"{tag}*",))]

    def holes(self, tag: str) -> set[tuple[str, int]]:
        """(device, seq) of everything our `seq` report names as missing."""
        rows = self.rig.ask("SELECT device, holes FROM boot_span WHERE device GLOB ?", f"{tag}*")
        return {(device, seq) for device, holes in rows for low, high in json.loads(holes) for seq in range(low, high + 1)}

    def committed(self, timeout: float = SETTLE_S) -> None:
        """Wait until the database knows of everything that is stored (it is told once a second)."""
        end = self.journal_end
        until(lambda: self.rig.ask("SELECT 1 FROM state_cursor WHERE position >= ?", end), timeout, "the database is up to date")

    @property
    def acknowledge(self) -> str:
        """The method that acknowledges, for tests/servers/dying.py."""
        where = {"paho": "adapters.mqtt:PahoSource", "own": OWN_SOURCE, "": "adapters.listener:Listener"}
        return f"{where[self.client]}.acknowledge"

    @property
    def journal(self) -> Path:
        """Its folder."""
        return self.rig.data / "journal"

    @property
    def last_segment(self) -> Path:
        """The file that is written to."""
        return max(self.journal.glob("*.cmj"), key=lambda path: int(path.stem))

    @property
    def cursor(self) -> int:
        """How far the journal is stored, read from where the store keeps it."""
        if self.kind == LISTENER:
            with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{self.rig.data / 'series.db'}?mode=ro", uri=True, timeout=5)) as db:
                return max((int(row[0]) for row in db.execute("SELECT position FROM cursor")), default=0)
            return 0
        path = self.rig.data / "journal" / "influx.cursor"
        data = path.read_bytes() if path.exists() else b""
        return max((struct.unpack_from("<Q", data, at + 24)[0] for at in range(0, len(data) - 63, 64)), default=0)

    @property
    def journal_end(self) -> int:
        """The position after the journal's last byte."""
        return self.rig.journal_bytes

    def level(self, timeout: float = SETTLE_S) -> None:
        end = self.journal_end
        until(lambda: self.cursor >= end, timeout, lambda: f"the store has the journal up to {end}, it is at {self.cursor}:\n{self.rig.log[-3000:]}")

    def recovered(self, sending: Sender, timeout: float = SETTLE_S) -> float:
        """Seconds from now until a message that came after now is stored (or all there was, where nothing is sent any more)."""
        began, end = time.monotonic(), self.journal_end
        until(lambda: self.journal_end > end or not sending.alive, timeout, lambda: f"something is journalled:\n{self.rig.log[-3000:]}", every=0.005)
        end = self.journal_end
        until(lambda: self.cursor >= end, timeout, lambda: f"the store has the journal up to {end}:\n{self.rig.log[-3000:]}", every=0.005)
        return time.monotonic() - began

    def settle(self, timeout: float = SETTLE_S) -> None:
        tag = f"mark-{next(_numbers)}-"
        mark = self.sender(readings(tag, 1, devices=1)).start()
        assert mark.join(timeout), f"the mark is not acknowledged:\n{self.rig.log[-3000:]}"
        until(lambda: self.stored(tag), timeout, lambda: f"the mark is stored:\n{self.rig.log[-3000:]}")
        self.level(timeout)

    # ------------------------------------------------------------ its servers

    def store_paused(self, seconds: float) -> None:
        with self.store_absent():
            time.sleep(seconds)

    @contextmanager
    def store_absent(self) -> Iterator[None]:
        """Within it the store takes nothing."""
        if isinstance(self.rig, MosquittoInflux):
            self.rig.influx.pause()
            try:
                yield
            finally:
                self.rig.influx.resume()
        else:
            with self.rig.store_away():
                yield

    def store_stopped(self, seconds: float) -> None:
        """The store is stopped (SIGTERM) and started again."""
        with self.rig.store_away():
            time.sleep(seconds)

    def store_killed(self, seconds: float) -> None:
        """kill -9 of the store, and a new start after `seconds`. SQLite runs in ingest itself: that is killed."""
        if isinstance(self.rig, MosquittoInflux):
            self.rig.influx.kill()
            time.sleep(seconds)
            self.rig.influx.start()
        else:
            self.kill()
            time.sleep(seconds)
            self.start()

    @property
    def broker(self) -> Mosquitto:
        """Mosquitto."""
        assert isinstance(self.rig, MosquittoInflux)
        return self.rig.broker

    @contextmanager
    def through(self, *, broker_port: int = 0, store_port: int = 0) -> Iterator[None]:
        """Within it ingest reaches broker and store at these ports (of a proxy)."""
        before = self.rig.env
        changed = {}
        if broker_port:
            changed["CANHMAN_BROKER"] = broker_url(broker_port, self.client)
        if store_port:
            changed["CANHMAN_STORE"] = f"influxdb://127.0.0.1:{store_port}/canhman?api=v1"
        self.rig.env = before | changed
        try:
            yield
        finally:
            self.rig.env = before

    def close(self) -> None:
        self.rig.close()


def broker_url(port: int, client: str) -> str:
    """CANHMAN_BROKER of a Mosquitto on this machine."""
    return f"mqtt://{INGEST_USER}@127.0.0.1:{port}" + (f"?client={client}" if client != "paho" else "")


def influx_rows(influx: InfluxD, database: str, tag: str, measurement: str = "water", field: str = "ec") -> list[Stored]:
    """Plain InfluxQL. A point of another field has no value here."""
    where = f'"sensor" =~ /^{tag}/ GROUP BY "sensor", "station", "point", "org"'
    found = influx.query(f'SELECT "{field}" FROM "{measurement}" WHERE {where}', db=database)  # noqa: S608 names of our own
    return [Stored(series["tags"]["sensor"], at, float(value)) for series in found for at, value in series["values"] if value is not None]


def make(path: str, folder: Path, bytecode: Path) -> OurWorld:
    """A world by its name in PATHS."""
    rig: Installation
    if path == "listener":
        rig = ListenerSqlite(folder, bytecode)
        return OurWorld(rig, name=PATHS[path], kind=LISTENER)
    rig = MosquittoInflux(folder, bytecode)
    rig.env["CANHMAN_BROKER"] = broker_url(rig.broker.port, path)
    return OurWorld(rig, name=PATHS[path], kind=BROKER, client=path)


PATHS = {"paho": "Mosquitto, InfluxDB; paho-mqtt", "own": "Mosquitto, InfluxDB; own client", "listener": "listener, SQLite"}


def has_own_client() -> bool:
    """Whether this version has it."""
    from canhman.settings import parse_broker
    from core.errors import ConfigError

    try:
        parse_broker("mqtt://127.0.0.1?client=own")
    except ConfigError:
        return False
    return True
