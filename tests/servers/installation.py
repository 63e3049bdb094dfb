"""A whole Canh Mặn for end-to-end tests: `canhman ingest` as a real process on a folder of its own, killed and started at will.

Two set-ups: Mosquitto with the files of `canhman broker` and InfluxDB, and our own listener and SQLite. What is stored is
read past our own code: plain InfluxQL, plain SQL.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from servers import processes
from servers.influxd import InfluxD
from servers.mosquitto import Mosquitto
from servers.ports import free_port
from servers.waiting import until

from registry.broker_files import INGEST_USER

ROOT = Path(__file__).parents[2]
START_S = 60.0
MARK = "mark-"  # devices whose one message tells that everything sent before it has come through
_numbers = itertools.count(1)


class Row(NamedTuple):
    """One stored value, as the store itself tells it."""

    station: str
    point: str
    sensor: str
    quantity: str
    time: int
    value: float
    flag: int
    tests: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom a new device of org `default` publishes: with the org's join key."""

    host: str
    port: int
    user: str
    key: str


class Installation:
    """One CANHMAN_DATA with its settings; `start`, `kill`, `stop` are about its `canhman ingest`."""

    name = ""
    ready = ""  # what ingest says once it takes messages

    def __init__(self, folder: Path, bytecode: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.log_path = folder / "ingest.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_") and k != "PYTHONDONTWRITEBYTECODE"}
        # `bytecode`: compiled once for all commands of a test session, and nothing of it beside the sources
        self.env = clean | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(bytecode), "NO_COLOR": "1"}
        self.env |= {"CANHMAN_DATA": str(self.data), "CANHMAN_ENROL": "open"} | settings
        self.login: Login
        self._process: processes.Process | None = None

    def use(self, client: str) -> None:
        """Read from the broker, where there is one, with `paho` or with our `own` client from the next start on."""

    # ------------------------------------------------------------ ingest, the process

    def start(self, *options: str, through: Sequence[str] = ("-m", "canhman")) -> None:
        """Start ingest and wait until it takes messages. `through`: what Python runs in place of `-m canhman`."""
        process = self._launch(options, through)
        assert process.poll() is None, f"ingest did not start:\n{self.log[-3000:]}"

    def _launch(self, options: Sequence[str], through: Sequence[str]) -> processes.Process:
        assert self._process is None, "already running"
        seen = len(self.log)
        with self.log_path.open("ab") as log:
            self._process = processes.start([*through, "ingest", *options], env=self.env, cwd=self.folder, out=log)
        process = self._process
        until(lambda: self.ready in self.log[seen:] or process.poll() is not None, START_S, lambda: f"ingest is ready:\n{self.log[-3000:]}")
        return process

    def start_without(self, target: str) -> None:
        """Start an ingest in which `target` (module:Class.method) does nothing."""
        self._launch((), (str(Path(__file__).with_name("dying.py")), target, "never", "0"))

    def start_dying(self, target: str, when: str, nth: int = 1) -> None:
        """Start an ingest that kills itself with SIGKILL before or after the `nth` call of `target` (module:Class.method)."""
        self._launch((), (str(Path(__file__).with_name("dying.py")), target, when, str(nth)))

    def wait_for_death(self, timeout: float = 30.0) -> None:
        """Until ingest has killed itself."""
        assert self._process is not None
        assert self._process.wait(timeout) == -signal.SIGKILL
        self._process = None

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self, timeout: float = 30.0) -> int:
        """SIGTERM, and wait; returns the exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    @property
    def launched(self) -> bool:
        """Whether one was started and not ended by us: it may have died by itself."""
        return self._process is not None

    @property
    def runs(self) -> bool:
        """Whether ingest is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of ingest."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What ingest wrote so far, over all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ------------------------------------------------------------ other commands

    def run(self, *words: str, check: bool = True, env: Mapping[str, str] | None = None, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Any `canhman` command with the settings of this installation."""
        done = processes.run(["-m", "canhman", *words], env=self.env | dict(env or {}), cwd=self.folder, timeout=timeout)
        assert not check or done.returncode == 0, f"canhman {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        """The answer of `canhman … --json`."""
        return json.loads(self.run(*words, "--json").stdout)

    def doctor(self) -> tuple[int, list[dict[str, str]]]:
        """(exit code, findings)."""
        done = self.run("doctor", "--json", check=False)
        return done.returncode, json.loads(done.stdout)

    @property
    def device_env(self) -> dict[str, str]:
        """Settings with which `canhman replay`, `simulate` and `publish` log in as a new device does."""
        return {}

    def replaying(self, *words: str) -> processes.Process:
        """`canhman replay …` beside the test; its output goes to replay.log."""
        with (self.folder / "replay.log").open("ab") as log:
            return processes.start(["-m", "canhman", "replay", *words], env=self.env | self.device_env, out=log)

    def client(self, client_id: str, *, user: str = "", password: str = "", protocol: int = mqtt.MQTTv311, window: int = 20) -> mqtt.Client:
        """A plain paho client, connected by `connect_async` + `loop_start`; a new device of the org unless told otherwise."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False if protocol != mqtt.MQTTv5 else None, protocol=protocol)
        client.username_pw_set(user or self.login.user, password or self.login.key)
        client.reconnect_delay_set(1, 1)
        client.max_inflight_messages_set(window)
        client.connect_async(self.login.host, self.login.port, keepalive=30)
        client.loop_start()
        return client

    def publish(self, device: str, *payloads: bytes | str, org: str = "default", leaf: str = "telemetry", timeout: float = 60.0) -> None:
        """Publish at QoS 1 with the join key and wait for every acknowledgement."""
        with self.connected(f"test-{next(_numbers)}") as client:
            sent = [client.publish(f"canhman/{org}/{device}/{leaf}", payload, qos=1) for payload in payloads]
            for info in sent:
                info.wait_for_publish(timeout)
                assert info.is_published(), f"no acknowledgement within {timeout:.0f} s"

    @contextmanager
    def connected(self, client_id: str, **login: Any) -> Iterator[mqtt.Client]:
        """A plain paho client, connected and in the end disconnected."""
        client = self.client(client_id, **login)
        try:
            until(client.is_connected, 30, f"{client_id} is connected", every=0.002)
            yield client
        finally:
            client.disconnect()
            client.loop_stop()

    # ------------------------------------------------------------ progress

    @property
    def journal_bytes(self) -> int:
        """The position after the last byte of the journal."""
        last = max(self.data.glob("journal/*.cmj"), key=lambda path: int(path.stem), default=None)
        return int(last.stem) + last.stat().st_size if last else 0

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Plain SQL on the database."""
        with closing(sqlite3.connect(f"file:{self.data / 'registry.db'}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql, values).fetchall()

    @property
    def is_drained(self) -> bool:
        """Everything in the journal is stored, committed and judged."""
        end = self.journal_bytes
        cursor = self.ask("SELECT position FROM state_cursor")
        return bool(cursor) and cursor[0][0] >= end and not self.ask("SELECT 1 FROM series_state WHERE dirty_from IS NOT NULL LIMIT 1")

    def settle(self, timeout: float = 120.0) -> None:
        """Wait until all that was acknowledged so far is stored and judged: a mark is sent after it, and awaited."""
        mark = f"{MARK}{next(_numbers)}"
        self.publish(mark, '{"time": "2020-01-01T00:00:00Z", "readings": {"water.level": 1.0}}', timeout=timeout)
        until(lambda: bool(self.ask("SELECT 1 FROM series_state WHERE station = ?", mark)), timeout, lambda: f"the mark is stored:\n{self.log[-3000:]}")
        until(lambda: self.is_drained, timeout, lambda: f"the journal is drained and judged:\n{self.log[-3000:]}")

    # ------------------------------------------------------------ what is stored, past our own code

    def rows(self) -> list[Row]:
        """Every stored value but those of marks, sorted."""
        return sorted(row for row in self._rows() if not row.station.startswith(MARK))

    def _rows(self) -> Iterator[Row]:
        raise NotImplementedError

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """Within it the store takes nothing."""
        raise NotImplementedError

    def close(self) -> None:
        """End every process."""
        if self._process is not None:
            self.kill()

    def _join(self, host: str, port: int, *, at_broker: bool) -> None:
        key = self.json("orgs", "join-key", "default")
        self.login = Login(host=host, port=port, user=key["broker_user" if at_broker else "user"], key=key["key"])


class MosquittoInflux(Installation):
    """A real Mosquitto with the configuration, accounts and access rules we ship, and a real InfluxDB 1.x."""

    name = "mosquitto_influx"
    ready = "subscribed at"

    def __init__(self, folder: Path, bytecode: Path, **settings: str) -> None:
        port = free_port()
        self.influx = InfluxD(folder / "influx")
        given = {
            "CANHMAN_BROKER": f"mqtt://{INGEST_USER}@127.0.0.1:{port}",
            "CANHMAN_STORE": f"influxdb://127.0.0.1:{self.influx.port}/canhman?api=v1",
        }
        super().__init__(folder, bytecode, **given | settings)
        self.files = folder / "broker"  # what `canhman broker` writes
        try:
            self.influx.start()
            self.run("migrate", "--create-store")
            self.run("broker", "init", "--folder", str(self.files), "--host", "127.0.0.1", "--port", str(port), env={"CANHMAN_BROKER": "embedded://127.0.0.1"})
            self.broker = Mosquitto(folder / "mosquitto", whole=(self.files / "mosquitto.conf").read_text(), port=port)
            self.broker.start()
            self.run("broker", "init", "--folder", str(self.files))
            self.sync()
            self._join("127.0.0.1", port, at_broker=True)
        except BaseException:
            self.close()
            raise

    def use(self, client: str) -> None:
        """Read from the broker with `paho` or with our `own` client from the next start on."""
        self.env["CANHMAN_BROKER"] = f"{self.env['CANHMAN_BROKER'].partition('?')[0]}?client={client}"

    def sync(self) -> None:
        """`canhman broker sync`, and Mosquitto reads the files again."""
        self.run("broker", "sync", "--folder", str(self.files))
        self.broker.reload()

    @property
    def device_env(self) -> dict[str, str]:
        """The org's join user; Mosquitto's spelling of it is found by the command."""
        return {"CANHMAN_BROKER": f"mqtt://org:default@127.0.0.1:{self.login.port}", "CANHMAN_BROKER_PASSWORD": self.login.key}

    def _rows(self) -> Iterator[Row]:
        for measurement in ("water", "soil", "air", "device"):
            for series in self.influx.query(f'SELECT * FROM "{measurement}" GROUP BY "station", "point", "sensor"', db="canhman"):
                tags, columns = series["tags"], series["columns"]
                place = {name: columns.index(name) for name in columns}
                fields = [c for c in columns if f"{c}_qc" in place]
                for values in series["values"]:
                    for field in fields:
                        value = values[place[field]]
                        if value is None:
                            continue
                        flag, bits = values[place[f"{field}_qc"]], values[place[f"{field}_qt"]] if f"{field}_qt" in place else 0
                        where = (tags["station"], tags["point"], tags["sensor"], f"{measurement}.{field}")
                        yield Row(*where, values[place["time"]], float(value), flag, bits or 0, values[place["rx"]])

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """influxd is stopped (SIGTERM), and started again."""
        self.influx.stop()
        try:
            yield
        finally:
            self.influx.start()

    def close(self) -> None:
        """End every process."""
        super().close()
        if broker := getattr(self, "broker", None):
            broker.kill()
        self.influx.kill()


class ListenerSqlite(Installation):
    """Our own listener and the SQLite store: nothing else runs."""

    name = "listener_sqlite"
    ready = "listening for devices"

    def __init__(self, folder: Path, bytecode: Path, **settings: str) -> None:
        port = free_port()
        super().__init__(folder, bytecode, **{"CANHMAN_BROKER": f"embedded://127.0.0.1:{port}"} | settings)
        self.run("migrate")
        self._join("127.0.0.1", port, at_broker=False)

    @property
    def series_path(self) -> Path:
        """The store's file."""
        return self.data / "series.db"

    def _rows(self) -> Iterator[Row]:
        sql = "SELECT station, point, sensor, quantity, time, value, flag, tests, received FROM reading JOIN series ON series.id = reading.series"
        with closing(sqlite3.connect(f"file:{self.series_path}?mode=ro", uri=True, timeout=30)) as db:
            yield from map(Row._make, db.execute(sql))

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """Another connection holds the write lock."""
        with closing(sqlite3.connect(self.series_path, timeout=30, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                db.execute("ROLLBACK")


SETUPS: dict[str, type[MosquittoInflux] | type[ListenerSqlite]] = {kind.name: kind for kind in (MosquittoInflux, ListenerSqlite)}
