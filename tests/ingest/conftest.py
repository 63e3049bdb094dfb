"""A whole ingest without sockets: file journal, processor, memory store, SQLite database in a temporary folder."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from adapters.journal import FileJournal
from adapters.memory_store import MemoryStore
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from canhman.configuration import read_qc
from core.clock import SimClock
from core.message import Message
from core.place import Deployment, Device, Station
from core.series import SeriesKey
from ingest.pipeline import Processor
from quality.rules import QcConfig
from quality.sweep import Sweep, sweep
from registry.enrolment import Mode

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z, 10:00 in Vietnam
_names = itertools.count(1)
T = TypeVar("T")


@dataclass
class Line:
    """The path from journal to store, driven step by step; `restart` forgets everything that is only in memory."""

    folder: Path
    database: SqlDatabase
    store: MemoryStore = field(default_factory=MemoryStore)
    config: QcConfig = field(default_factory=lambda: read_qc(None))
    mode: Mode = "open"
    public: bool = False
    careful: bool = False
    tails: bool = False  # whether window tests are run in memory, before a commit
    shared: bool = False  # whether other lines have a part of the messages, with the same store and database
    now: int = NOON + 3_600_000
    journal: FileJournal = field(init=False)
    processor: Processor = field(init=False)

    def __post_init__(self) -> None:
        self.journal = FileJournal(self.folder)
        self.journal.open()
        self.restart()

    def restart(self, *, stored_to: int | None = None) -> None:
        """A new process on the same journal, store and database: memory is gone, and what was not committed with it.

        `stored_to` is where the store's cursor stands then; it may lag behind its rows.
        """
        if stored_to is not None:
            self.store._cursors[self.journal.id] = stored_to
        self.journal.close()
        self.journal.open()
        clock = SimClock(self.now, 0)
        self.processor = Processor(
            journal=self.journal,
            store=self.store,
            database=self.database,
            config=self.config,
            clock=clock,
            mode=self.mode,
            public=self.public,
            careful=self.careful,
            judging=_judging if self.tails else None,
            shared=self.shared,
        )
        self.ask(self.processor.start())

    def send(self, device: str, payload: bytes | str, *, org: str = "default", received: int | None = None, leaf: str = "telemetry", **more: Any) -> int:
        """Journal one message; returns its position."""
        body = payload.encode() if isinstance(payload, str) else payload
        end = self.journal.end
        self.journal.append([Message(f"canhman/{org}/{device}/{leaf}", body, self.now if received is None else received, **more)])
        return self.journal.read(end, limit=1).records[0][0]

    def work(self, *, limit: int = 2000, commit: bool = True, judge: bool = True) -> None:
        """Everything in the journal to the store; then commit and judge."""

        async def steps() -> None:
            while (found := self.journal.read(self.processor.cursor, limit=limit)).records:
                await self.processor.write(await self.processor.process(found.records), found.next)
            if commit:
                await self.processor.commit()
            if judge:
                await self.sweep()

        asyncio.run(steps())

    async def sweep(self, **more: Any) -> Sweep:
        """A round of the judge, in this process."""
        return await sweep(self.database, self.store, self.config, learn=self.processor.learn, **more)

    @staticmethod
    def ask(call: Coroutine[Any, Any, T]) -> T:
        """The answer of a call that never waits (memory store, SQLite), also from within a running loop."""
        try:
            call.send(None)
        except StopIteration as answer:
            return cast("T", answer.value)
        raise RuntimeError("this call waits for something")

    def rows(self, device: str, quantity: str = "water.ec", *, station: str = "", point: str = "main", channel: str = "") -> list[tuple[int, float, int]]:
        """(time, value, flag) of one stored series."""
        sensor = f"{device}/{channel}" if channel else device
        key = SeriesKey("default", station or device.lower(), point, sensor, quantity)
        batch = self.ask(self.store.read([key], 0, 1 << 62))
        return list(zip(batch.time.tolist(), batch.value.tolist(), batch.flag.tolist(), strict=True))

    def dead(self) -> list[tuple[str, str]]:
        """(reason, key) of every dead letter, in order of arrival."""
        return [(d.reason, d.key) for d in reversed(self.ask(self.database.dead_letters(limit=10_000)))]

    def counters(self) -> dict[str, int]:
        """All counters of the database."""
        return self.ask(self.database.counters())

    def tests(self, device: str, quantity: str = "water.ec") -> list[int]:
        """The test bits of one stored series at the device's own station."""
        key = SeriesKey("default", device.lower(), "main", device, quantity)
        return self.ask(self.store.read([key], 0, 1 << 62)).tests.tolist()

    def put(self, *items: Any) -> None:
        """Register."""
        self.ask(self.database.put(*items, actor="test"))

    def station(self, device: str, *, station: str = "", channels: Sequence[str] = ("main",)) -> None:
        """Register a device that stands at a station for ever, each channel at the point of its name."""
        place = station or device.lower()
        places = [Deployment(device=device, channel=c, station=place, point=c) for c in channels]
        self.put(Device(id=device, org="default"), Station(id=place, org="default", name=place), *places)

    def fresh(self) -> str:
        """A device id nobody used before (ids are never used again)."""
        return f"dev{next(_names)}"

    def close(self) -> None:
        """Give the files back."""
        self.journal.close()
        self.database.close()


async def _judging() -> bool:
    return True


@functools.cache
def _empty_database() -> bytes:
    """An empty database as its migrations make it: making it anew for every line would take a quarter of a second each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        prepare(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def _open(folder: Path, **settings: Any) -> Line:
    path = folder / "registry.db"
    path.write_bytes(_empty_database())
    path.chmod(0o600)
    url = f"sqlite:///{path}"
    return Line(folder=folder / "journal", database=open_database(url), **settings)


@pytest.fixture(scope="session")
def open_line() -> Callable[..., Line]:
    """`open_line(folder, **settings)`; the caller closes it."""
    return _open


@pytest.fixture
def make_line(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    """Lines in temporary folders, closed in the end."""
    lines: list[Line] = []

    def make(**settings: Any) -> Line:
        folder = tmp_path / f"line{len(lines)}"
        folder.mkdir()
        lines.append(_open(folder, **settings))
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.fixture
def line(make_line: Callable[..., Line]) -> Line:
    """A line where devices register themselves."""
    return make_line()
