"""Does a message cost more the more is stored, or the more devices there are? `python -m bench.growth [--most 50e6] [--stores sqlite influxdb]`.

Messages of six values are written, judged in memory and committed as ingest does it, in batches of 4,000, a commit a
second and at most a tenth of the time: on a store of 1,000 devices that holds 0, 1, 5, 20 and 50 million values, and on an empty one for 50, 1,000 and
10,000 devices. CPU µs per message of this process, beside it InfluxDB's own, and the wall's. Filling takes longest: some
2 µs a value on SQLite, 8 on InfluxDB, so 50 million are minutes. Writes docs/growth.svg and docs/growth.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from bench.growth_plot import picture
from canhman.configuration import read_qc
from core.batch import Batch
from core.ports import SeriesStore
from core.seawater import salinity_from_ec
from core.series import SeriesKey
from core.state import Commit, Latest, Written
from ingest.run import COMMIT_S, HOUSE_SHARE
from quality.flagging import flags_of
from quality.rules import Rules
from quality.tails import NEVER, Tails

DOCS = Path(__file__).parents[1] / "docs"
QUANTITIES = ("water.ec", "water.salinity", "water.temperature", "water.level", "device.battery", "device.rssi")
STORED = (0, 1_000_000, 5_000_000, 20_000_000, 50_000_000)
DEVICES = (50, 1_000, 10_000)
STEP_MS = 900_000
BEGIN = 1_700_000_000_000
BATCH = 4_000
QUIET_S = 30.0  # how long a server may still tidy up what was filled in


class Line:
    """One store with a database and tails, and the turn its devices have come to."""

    def __init__(self, name: str, folder: Path, devices: int) -> None:
        self.devices = devices
        self.folder = folder
        self.server: Any = None
        url = f"sqlite:///{folder / 'registry.db'}"
        prepare(url)
        self.database: SqlDatabase = open_database(url)
        self.store: SeriesStore = SqliteStore(folder / "series.db", synchronous="NORMAL") if name == "sqlite" else self._influx(folder)
        self.keys = [SeriesKey("default", f"dev{d:05}", "main", f"dev{d:05}", q) for d in range(devices) for q in QUANTITIES]
        self.tails = Tails(Rules(read_qc(None), self.keys), {})
        self.rng = np.random.default_rng(1)
        self.turn = 0

    def _influx(self, folder: Path) -> SeriesStore:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        from servers.influxd import InfluxD

        from adapters.influx import InfluxStore

        self.server = InfluxD(folder / "influxd").start()
        return InfluxStore(self.server.url, cursor_path=folder / "cursor")

    def server_cpu(self) -> float:
        """CPU seconds of the server so far."""
        if self.server is None:
            return 0.0
        ticks = Path(f"/proc/{self.server._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(ticks[11]) + int(ticks[12])) / 100

    def rows(self, first: int, last: int, turns: int) -> Batch:
        """The next `turns` messages of each of the devices from `first` to `last`."""
        series = np.repeat(np.arange(first * len(QUANTITIES), last * len(QUANTITIES), dtype=np.int32), turns)
        time_ = BEGIN + (self.turn + np.tile(np.arange(turns), (last - first) * len(QUANTITIES))) * STEP_MS + series // len(QUANTITIES)
        values = self.rng.uniform(1.0, 3.0, (last - first, len(QUANTITIES), turns)).round(2)
        values[:, QUANTITIES.index("water.salinity")] = salinity_from_ec(values[:, QUANTITIES.index("water.ec")])  # one water
        value = values.ravel()
        return Batch.of(series, time_, value, flag=np.ones(len(series), dtype=np.uint8), received=time_ + 5_000)

    async def fill(self, values: int) -> None:
        """So many more, ten days at a time."""
        turns = max(0, values // len(self.keys))
        while turns > 0:
            some = min(turns, 960)
            for first in range(0, self.devices, 10):
                await self.store.write(self.rows(first, min(first + 10, self.devices), some), self.keys)
            self.turn += some
            turns -= some
        self.tails = Tails(Rules(read_qc(None), self.keys), dict.fromkeys(self.keys, (BEGIN + self.turn * STEP_MS, STEP_MS)))
        await self._quiet()

    async def _quiet(self) -> None:
        deadline = time.monotonic() + QUIET_S
        while self.server is not None and time.monotonic() < deadline:
            before = self.server_cpu()
            await asyncio.sleep(1.0)
            if self.server_cpu() - before < 0.1:
                return

    async def measure(self, messages: int) -> dict[str, float]:
        """µs per message."""
        await self._run(40 * self.devices if self.devices <= 1_000 else self.devices * 4)  # until what is kept in memory is warm
        cpu, server, wall = time.process_time(), self.server_cpu(), time.perf_counter()
        n = await self._run(messages)
        return {
            "cpu_us": round((time.process_time() - cpu) / n * 1e6, 2),
            "server_us": round((self.server_cpu() - server) / n * 1e6, 2),
            "wall_us": round((time.perf_counter() - wall) / n * 1e6, 2),
        }

    async def _run(self, messages: int) -> int:
        done = 0
        last, every = time.monotonic(), COMMIT_S
        for batch in self._batches(messages):
            await self.store.write(batch, self.keys, done, journal="bench")
            self.tails.wrote(batch)
            done += len(batch) // len(QUANTITIES)
            if time.monotonic() - last >= every:
                last = time.monotonic()
                await self._commit(done)
                every = max(COMMIT_S, HOUSE_SHARE * (time.monotonic() - last))
        await self._commit(done)
        return done

    def _batches(self, messages: int) -> Iterator[Batch]:
        together = max(1, BATCH // self.devices)
        done = 0
        while done < messages:
            for first in range(0, self.devices, BATCH):
                last = min(first + BATCH, self.devices)
                yield self.rows(first, last, together)
                done += (last - first) * together
            self.turn += together

    async def _commit(self, cursor: int) -> None:
        settled = await self.tails.settle(flags_of(self.database, self.store, await self.database.rewriting()))
        at = BEGIN + (self.turn - 1) * STEP_MS
        columns = zip(self.keys, settled.of(np.arange(len(self.keys))), strict=True)
        written = [
            Written(
                key=key,
                role="primary",
                newest=Latest(time=at, value=1.0, flag=flag),
                received=at,
                dirty_from=at,
                judged=judged,
                good=None if good == NEVER else Latest(time=good, value=value, flag=1),
                config=settled.config,
                interval_ms=interval or None,
            )
            for key, (judged, flag, good, value, interval) in columns
        ]
        await self.database.commit(Commit(journal="bench", state_cursor=cursor, written=tuple(written), rewritten=0))
        self.tails.committed()

    async def close(self) -> None:
        """Give everything back."""
        await self.store.close()
        self.database.close()
        if self.server is not None:
            self.server.stop()


async def along(name: str, devices: int, stored: list[int], messages: int, said: Callable[[dict[str, Any]], None]) -> None:
    """One store, measured at each of `stored`."""
    folder = Path(tempfile.mkdtemp(prefix="growth"))
    path = Line(name, folder, devices)
    try:
        await path.store.create()
        await path.store.open()
        for values in stored:
            await path.fill(values - path.turn * len(path.keys))
            there = path.turn * len(path.keys)
            said({"store": name, "devices": devices, "stored": there if values else 0, **await path.measure(max(messages, 20 * devices))})
    finally:
        await path.close()
        shutil.rmtree(folder)


def main(arguments: list[str]) -> None:
    """Measure, print as it comes, write the plot and its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=STORED[-1], help="how many values to fill in at most")
    parser.add_argument("--stores", nargs="+", default=["sqlite", "influxdb"], choices=["sqlite", "influxdb"])
    parser.add_argument("--messages", type=int, default=60_000, help="measured at each point")
    parser.add_argument("--out", type=Path, default=DOCS)
    asked = parser.parse_args(arguments)
    found: list[dict[str, Any]] = []

    def said(point: dict[str, Any]) -> None:
        found.append(point)
        print(json.dumps(point), flush=True)
        (asked.out / "growth.json").write_text(json.dumps({"points": found}, indent=1) + "\n", "utf-8")
        (asked.out / "growth.svg").write_text(picture(found), "utf-8")

    for name in asked.stores:
        for devices in DEVICES:
            stored = [n for n in STORED if n <= asked.most] if devices == 1_000 else [0]
            asyncio.run(along(name, devices, stored, asked.messages, said))


if __name__ == "__main__":
    main(sys.argv[1:])
