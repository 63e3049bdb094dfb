"""An installation that has measured for weeks: what `canhman train` learns from, filled past the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from core.batch import Batch
from core.clock import SimTime, SystemClock
from core.place import Deployment, Device, Station
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, Written

HOUR = 3_600_000
DAY = 24 * HOUR
STATIONS = ("an", "binh", "cai", "dai")
END = 1_772_402_400_000  # 2026-03-02 05:00 in Vietnam


def course(time: NDArray[np.int64], station: int, *, seed: int = 1) -> NDArray[np.float64]:
    """Salt that follows springs and neaps and the tide of the day, and each station's own slow wandering, which no one can guess far ahead."""
    day = time / DAY
    rng = np.random.default_rng([seed, station])
    steps = np.cumsum(rng.normal(0, 0.1, 4000))
    slow = np.interp(day % 2000, np.arange(4000) / 2, steps)
    springs = 0.7 * np.cos(2 * np.pi * day / 14.765 + 0.3 * station)
    tide = 0.5 * np.cos(2 * np.pi * time / (12.42 * HOUR)) + 0.02 * rng.normal(size=len(time))
    found: NDArray[np.float64] = np.round(np.exp(0.4 + 0.3 * station - 0.3 * np.abs(slow) + springs + tide), 3)
    return found


class TrainingWorld:
    """Stations `an`, `binh` … in one installation; its simulated clock stands."""

    def __init__(self, data: Path, stations: Sequence[str] = STATIONS) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.url = f"sqlite:///{data / 'registry.db'}"
        prepare(self.url)
        self.db: SqlDatabase = open_database(self.url)
        self.keys = [SeriesKey("default", name, "main", f"{name}1", "water.salinity") for name in stations]
        self._position = 0
        for name in stations:
            where = Deployment(device=f"{name}1", channel="main", station=name, point="main")
            place = Station(id=name, org="default", name=name.title()), Device(id=f"{name}1", org="default"), where
            asyncio.run(self.db.put(*place, actor="test"))

    @classmethod
    def of(cls, data: Path) -> TrainingWorld:
        """One that is there."""
        found = cls.__new__(cls)
        found.data, found.url = data, f"sqlite:///{data / 'registry.db'}"
        found.db = open_database(found.url)
        found.keys = sorted(s.key for s in asyncio.run(found.db.states()))
        found._position = asyncio.run(found.db.state_cursor("j"))
        return found

    def measure(self, start: int, end: int, *, step: int = 2 * HOUR) -> None:
        """Good readings with start ≤ time < end of every station, stored and judged."""

        async def fill() -> None:
            store = SqliteStore(self.data / "series.db")
            await store.open()
            time = np.arange(start, end, step, dtype=np.int64)
            for n, key in enumerate(self.keys):
                values = course(time, n)
                await store.write(Batch.of([0] * len(time), time, values, flag=[1] * len(time), received=time + 1000), [key])
                newest = Latest(time=int(time[-1]), value=float(values[-1]), flag=1)
                self._position += 1
                written = Written(key=key, role="primary", newest=newest, received=newest.time + 1000, dirty_from=start)
                await self.db.commit(Commit(journal="j", state_cursor=self._position, written=(written,)))
                changed = next(s.changed for s in await self.db.states() if s.key == key)
                await self.db.judged([Judged(key=key, changed=changed, newest=newest, good=newest, config="c")])
            await store.close()

        asyncio.run(fill())

    def clock_stands_at(self, ms: int) -> None:
        """For CANHMAN_CLOCK=sim."""
        asyncio.run(self.db.save_clock(SimTime(sim_ms=ms, speed=0.0, anchor_ms=SystemClock().now_ms())))
