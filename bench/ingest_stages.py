"""What a message costs in ingest, stage by stage: `python bench/ingest_stages.py [DEVICES …]`.

Messages of some 200 bytes with three readings, a battery and a signal (7 rows stored) over 50, 1,000 and 10,000
registered devices go from a journal on disk to SQLite and the database in batches of 2,000, a commit every 20,000 and a
round of the judge in the end. CPU µs per message (all threads), the fsync's wait beside it; a minute or two in all.
The judge's price is one of devices, not of messages, and is measured where there are 1,000 at most.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ingest.pipeline
from adapters.journal import FileJournal
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from canhman.configuration import read_qc
from canhman.services import GC_THRESHOLDS
from core.clock import SystemClock, rfc3339
from core.message import Message
from core.place import Deployment, Device, Station
from ingest.convert import Columns
from ingest.pipeline import Processor
from quality.sweep import sweep

MESSAGES = 40_000
BATCH = 2000
COMMIT_EVERY = 20_000
STEP_MS = 900_000
JUDGED_DEVICES = 1000
STAGES = ("append", "read", "open", "admit", "recall", "place", "columns", "row tests", "store", "remember", "commit")


class Stages:
    """CPU and wall seconds by stage; a stage inside another one is not counted twice."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything within belongs to `name`, but for stages of its own."""
        cpu, wall = time.process_time(), time.perf_counter()
        self._inner.append(0.0)
        yield
        spent = time.process_time() - cpu
        self.cpu[name] += spent - self._inner.pop()
        self.wall[name] += time.perf_counter() - wall
        self._inner[-1] += spent

    def sync(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, measured."""

        def measured(*args: Any, **more: Any) -> Any:
            with self.stage(name):
                return function(*args, **more)

        return measured

    def awaited(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A coroutine function, measured."""

        async def measured(*args: Any, **more: Any) -> Any:
            with self.stage(name):
                return await function(*args, **more)

        return measured


async def register(database: SqlDatabase, devices: int) -> None:
    """Devices that stand at a station each."""
    for first in range(0, devices, 1000):
        names = [f"dev{n:05}" for n in range(first, min(devices, first + 1000))]
        items: list[Device | Station | Deployment] = [Device(id=name, org="default") for name in names]
        items += [Station(id=name, org="default", name=name) for name in names]
        items += [Deployment(device=name, channel="main", station=name, point="main") for name in names]
        await database.put(*items, actor="bench")


def messages(devices: int, count: int) -> list[Message]:
    """Each device in turn, every 15 minutes, up to now."""
    rng = random.Random(1)
    now = time.time_ns() // 1_000_000
    begin = now - (count // devices + 1) * STEP_MS
    found = []
    for n in range(count):
        turn, device = divmod(n, devices)
        readings = {"water.ec": round(rng.uniform(1, 9), 2), "water.temperature": round(rng.uniform(26, 31), 1), "water.level": round(rng.uniform(0, 2), 2)}
        at = begin + turn * STEP_MS + device % STEP_MS
        body = {"seq": turn, "boot": 12, "time": rfc3339(at), "readings": readings, "battery": 3.71, "rssi": -97}
        found.append(Message(f"canhman/default/dev{device:05}/telemetry", json.dumps(body).encode(), now))
    return found


async def run(devices: int, folder: Path) -> tuple[Stages, int, float]:
    """One measured run; returns stages, messages, and the seconds of one round of the judge over all of it."""
    url = f"sqlite:///{folder / 'registry.db'}"
    prepare(url)
    database, store, journal = open_database(url), SqliteStore(folder / "series.db", synchronous="NORMAL"), FileJournal(folder / "journal")
    await store.open()
    journal.open()
    await register(database, devices)
    config = read_qc(None)
    processor = Processor(journal=journal, store=store, database=database, config=config, clock=SystemClock(), mode="closed", public=False)
    await processor.start()
    count = max(MESSAGES, devices * 3)
    batch = messages(devices, count + devices)

    stages = Stages()
    await drain(stages, processor, journal, batch[:devices])  # layouts, identities and series are met once
    if devices <= JUDGED_DEVICES:
        await sweep(database, store, config)
    stages = Stages()
    gc.collect()
    gc.freeze()  # this and the thresholds as in `canhman ingest`
    gc.set_threshold(*GC_THRESHOLDS)
    judge, columns = ingest.pipeline.judge, Columns.batch
    ingest.pipeline.judge, Columns.batch = stages.sync("row tests", judge), stages.sync("columns", columns)  # type: ignore[method-assign,assignment] # measured for the time being
    processor._reader.open = stages.sync("open", processor._reader.open)  # type: ignore[method-assign] # as above
    processor._admit = stages.awaited("admit", processor._admit)  # type: ignore[method-assign] # as above
    processor._recall = stages.awaited("recall", processor._recall)  # type: ignore[method-assign] # as above
    store.write = stages.awaited("store", store.write)  # type: ignore[method-assign] # as above
    try:
        await drain(stages, processor, journal, batch[devices:])
    finally:
        gc.unfreeze()
        ingest.pipeline.judge, Columns.batch = judge, columns  # type: ignore[method-assign] # and back
    began = time.process_time()
    if devices <= JUDGED_DEVICES:
        await sweep(database, store, config)
    judged = time.process_time() - began
    journal.close()
    await store.close()
    database.close()
    return stages, count, judged


async def drain(stages: Stages, processor: Processor, journal: FileJournal, batch: list[Message]) -> None:
    """To the journal in groups of 500, and from there to the store."""
    for first in range(0, len(batch), 500):
        with stages.stage("append"):
            journal.append(batch[first : first + 500])
    since = 0
    while True:
        with stages.stage("read"):
            found = journal.read(processor.cursor, limit=BATCH)
        if not found.records:
            break
        with stages.stage("place"):
            rows = await processor.process(found.records)
        with stages.stage("remember"):
            await processor.write(rows, found.next)
        since += len(found.records)
        if since >= COMMIT_EVERY:
            since = 0
            with stages.stage("commit"):
                await processor.commit()
    with stages.stage("commit"):
        await processor.commit()


def main(sizes: list[int]) -> None:
    """Print one column per number of devices."""
    columns = []
    for devices in sizes:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(asyncio.run(run(devices, Path(folder))))
    print(f"{'CPU us/message':<24}" + "".join(f"{n:>12,}" for n in sizes))
    for name in STAGES:
        print(f"{name:<24}" + "".join(f"{stages.cpu[name] / count * 1e6:>12.2f}" for stages, count, _ in columns))
    print(f"{'all but the judge':<24}" + "".join(f"{sum(stages.cpu.values()) / count * 1e6:>12.2f}" for stages, count, _ in columns))
    print(f"{'judge, one round':<24}" + "".join(f"{judged / count * 1e6:>12.2f}" for _, count, judged in columns))
    print(f"{'judge, ms per device':<24}" + "".join(f"{judged / n * 1e3:>12.3f}" for n, (_, _, judged) in zip(sizes, columns, strict=True)))
    print(f"{'append, with its fsync':<24}" + "".join(f"{stages.wall['append'] / count * 1e6:>12.2f}" for stages, count, _ in columns))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [50, 1_000, 10_000])
