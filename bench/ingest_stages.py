"""What a message costs in ingest, stage by stage: `python -m bench.ingest_stages [DEVICES …] [--store lines] [--judge] [--json]`.

Messages of some 200 bytes with three readings, a battery and a signal (6 rows stored) over 50, 1,000 and 10,000
registered devices go from a journal on disk to the store and the database in batches as `canhman ingest` makes them, a
commit as often as there. CPU µs per message of this thread, the fsync's wait beside it; half a minute in all.

`--store lines` is InfluxDB without a server: lines are made, and an answer of 204 is made up. Window tests are run in memory
before each commit; with `--judge` they are left to a round of the judge, whose price is one of devices, not of messages,
where there are 1,000 at most. `--live N` makes batches of N. `--load N` takes N messages as `make bench` publishes them (a tide, a minute between
two of a device), and `--keep FILE` keeps the bodies that went to InfluxDB, so that they can be sent to one without us.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import ingest.pipeline
from adapters.influx import InfluxStore
from adapters.influx_send import Answer
from adapters.journal import FileJournal
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from canhman import load as loads
from canhman.configuration import read_qc
from canhman.services import GC_THRESHOLDS
from core.clock import SystemClock, rfc3339
from core.message import Message
from core.place import Deployment, Device, Station
from ingest.convert import Columns
from ingest.pipeline import Processor
from ingest.run import BATCH, COMMIT_S, HOUSE_SHARE
from quality.judge import judge
from quality.sweep import sweep

MESSAGES = 80_000
LIVE_COMMIT = 1000  # messages: a second's worth at a thousand a second
STEP_MS = 900_000
JUDGED_DEVICES = 1000
STAGES = ("append", "read", "registry", "decode and place", "columns", "row tests", "rest", "store", "remember", "window tests", "commit")


class Stages:
    """CPU and wall seconds by stage; a stage inside another one is not counted twice."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything within belongs to `name`, but for stages of its own."""
        cpu, wall = time.thread_time(), time.perf_counter()
        self._inner.append(0.0)
        yield
        spent = time.thread_time() - cpu
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
    begin = (now // 1000 - 900 * (count // devices + 2)) * 1000
    found = []
    for n in range(count):
        turn, device = divmod(n, devices)
        readings = {"water.ec": round(rng.uniform(1, 9), 2), "water.temperature": round(rng.uniform(26, 31), 1), "water.level": round(rng.uniform(0, 2), 2)}
        at = begin + turn * STEP_MS + device % 900 * 1000
        body = {"seq": turn, "boot": 12, "time": rfc3339(at), "readings": readings, "battery": 3.71, "rssi": -97}
        found.append(Message(f"canhman/default/dev{device:05}/telemetry", json.dumps(body).encode(), now))
    return found


class LinesOnly:
    """Answers every body of lines as InfluxDB does when all is well."""

    def __init__(self, kept: list[bytes] | None = None) -> None:
        self._kept = kept

    def send(self, body: bytes) -> Answer:
        if self._kept is not None:
            self._kept.append(bytes(body))
        return Answer(status=204, text="", page=False)

    def create(self) -> None:
        pass

    def close(self) -> None:
        pass


def opened_store(kind: str, folder: Path, kept: list[bytes] | None = None) -> Any:
    """SQLite, or InfluxDB without a server; what would have gone to it is added to `kept`."""
    if kind == "sqlite":
        return SqliteStore(folder / "series.db", synchronous="NORMAL")
    store = InfluxStore("http://127.0.0.1:1", cursor_path=folder / "journal" / "influx.cursor")
    store._sender = LinesOnly(kept)
    store._influxql = object()  # type: ignore[assignment] # nobody asks it
    if store._newest is not None:
        store._newest.may_exist = lambda ask, grouped, places: np.zeros(len(grouped.time), dtype=np.bool_)  # type: ignore[method-assign] # it would ask the server
    return store


def published(devices: int, count: int) -> list[Message]:
    """Messages as `make bench` publishes them, up to now."""
    now = time.time_ns() // 1_000_000
    begin = now - (count // devices + 2) * 60_000
    made = loads.messages(loads.Load(host="", port=0, prefix="dev", devices=devices, count=count, begin=begin, step_ms=60_000), random.Random(1))
    return [Message(topic, payload, now) for topic, payload in made]


async def run(
    devices: int, folder: Path, kind: str, *, judging: bool, live: int, load: int = 0, kept: list[bytes] | None = None
) -> tuple[Stages, int, float, int]:
    """One measured run; returns stages, messages, the seconds of one round of the judge over all of it, and how many of `kept` are of before it."""
    url = f"sqlite:///{folder / 'registry.db'}"
    prepare(url)
    database, store, journal = open_database(url), opened_store(kind, folder, kept), FileJournal(folder / "journal")
    journal.open()
    if kind == "sqlite":
        await store.open()
    await register(database, devices)
    config = read_qc(None)
    processor = Processor(
        journal=journal, store=store, database=database, config=config, clock=SystemClock(), mode="closed", public=False, judging=None if judging else _is_judge
    )
    await processor.start()
    count = load or (20_000 if live else max(MESSAGES, devices * 8))
    batch = (published if load else messages)(devices, count + devices)

    stages = Stages()
    judging = judging and kind == "sqlite" and devices <= JUDGED_DEVICES
    await drain(stages, processor, journal, batch[:devices], BATCH)  # layouts, identities and series are met once
    if judging:
        await sweep(database, store, config)
    stages, before = Stages(), len(kept or ())
    gc.collect()
    gc.freeze()  # this and the thresholds as in `canhman ingest`
    gc.set_threshold(*GC_THRESHOLDS)
    columns = Columns.batch
    setattr(ingest.pipeline, "judge", stages.sync("row tests", judge))  # noqa: B010 measured for the time being
    Columns.batch = stages.sync("columns", columns)  # type: ignore[method-assign] # as above
    processor._settled = stages.awaited("window tests", processor._settled)  # type: ignore[method-assign] # as above
    processor.refresh = stages.awaited("registry", processor.refresh)  # type: ignore[method-assign] # as above
    processor._place_all = stages.sync("decode and place", processor._place_all)  # type: ignore[method-assign] # as above
    store.write = stages.awaited("store", store.write)
    try:
        await drain(stages, processor, journal, batch[devices:], live or BATCH, commit_each=LIVE_COMMIT if live and load else 0)
    finally:
        gc.unfreeze()
        setattr(ingest.pipeline, "judge", judge)  # noqa: B010 and back
        Columns.batch = columns  # type: ignore[method-assign] # and back
    began = time.thread_time()
    if judging:
        await sweep(database, store, config)
    judged = time.thread_time() - began
    journal.close()
    if kind == "sqlite":
        await store.close()
    database.close()
    return stages, count, judged, before


async def _is_judge() -> bool:
    return True


async def drain(stages: Stages, processor: Processor, journal: FileJournal, batch: list[Message], size: int, *, commit_each: int = 0) -> None:
    """To the journal in groups of 500 (of `size`, where that is less), and from there to the store. `commit_each`: messages between two commits, 0: by time."""
    group = min(500, size)
    for first in range(0, len(batch), group):
        with stages.stage("append"):
            journal.append(batch[first : first + group])
    due, began, since = COMMIT_S, time.thread_time(), 0  # of CPU; the clock on the wall, which waits for a server, allows it oftener
    while True:
        with stages.stage("read"):
            found = journal.read(processor.cursor, limit=size)
        if not found.records:
            break
        with stages.stage("rest"):
            work = await processor.process(found.records)
        with stages.stage("remember"):
            await processor.write(work, found.next)
        since += len(found.records)
        if since >= commit_each if commit_each else time.thread_time() - began >= due:
            began, since = time.thread_time(), 0
            with stages.stage("commit"):
                await processor.commit()
            due = max(COMMIT_S, HOUSE_SHARE * (time.thread_time() - began))
            began = time.thread_time()
    with stages.stage("commit"):
        await processor.commit()


def main(sizes: list[int], kind: str, *, judging: bool, live: int, load: int, keep: Path | None, as_json: bool) -> None:
    """Print one column per number of devices."""
    columns = []
    for devices in sizes:
        kept: list[bytes] | None = None if keep is None else []
        with tempfile.TemporaryDirectory() as folder:
            columns.append(asyncio.run(run(devices, Path(folder), kind, judging=judging, live=live, load=load, kept=kept)))
        if keep is not None and kept is not None:
            keep.write_bytes(msgspec.msgpack.encode({"met": kept[: columns[-1][3]], "measured": kept[columns[-1][3] :]}))
    figures: dict[str, list[float]] = {name: [stages.cpu[name] / count * 1e6 for stages, count, *_ in columns] for name in STAGES}
    figures["all"] = [sum(stages.cpu.values()) / count * 1e6 for stages, count, *_ in columns]
    figures["append, with its fsync"] = [stages.wall["append"] / count * 1e6 for stages, count, *_ in columns]
    if judging:
        figures["judge, one round"] = [judged / count * 1e6 for _, count, judged, _ in columns]
    if as_json:
        counts = [count for _, count, *_ in columns]
        print(json.dumps({"devices": sizes, "store": kind, "batch": live or BATCH, "messages": counts, "us_per_message": figures}))
        return
    print(f"{'CPU us/message':<24}" + "".join(f"{n:>12,}" for n in sizes))
    for name, row in figures.items():
        print(f"{name:<24}" + "".join(f"{figure:>12.2f}" for figure in row))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="CPU of ingest by stage")
    parser.add_argument("devices", type=int, nargs="*", default=[50, 1_000, 10_000])
    parser.add_argument("--store", choices=("sqlite", "lines"), default="sqlite")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--live", type=int, default=0, metavar="N", help="batches of N messages, as they are made while nothing waits")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="N messages as `make bench` publishes them")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the bodies for InfluxDB, of the last number of devices (MessagePack: met, measured)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    main(given.devices, given.store, judging=given.judge, live=given.live, load=given.load, keep=given.keep, as_json=given.json)
