"""A small installation for issuing: a real database, the store of tests, and a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adapters.memory_store import MemoryStore
from adapters.sql.database import SqlDatabase
from analytics.forecast_config import DriverSource
from analytics.issuing import Issuer
from analytics.model import Model
from analytics.models.persistence import MODEL
from core.batch import Batch
from core.flags import Flag
from core.forecast import Forecast
from core.instant import parse_rfc3339
from core.place import ALWAYS, FOREVER, Deployment, Device, Station
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, Written

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FIVE = parse_rfc3339("2026-03-02T05:00:00+07:00") or 0  # 05:00 in Vietnam


class Hands:
    """A clock that stands where the test put it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds


@dataclass(slots=True)
class World:
    """Stations with one sensor each; `measure` stores and judges readings as ingest and judge would."""

    db: SqlDatabase
    store: MemoryStore
    clock: Hands
    issuer: Issuer
    _position: int = field(default=0)

    def run(self, call: Awaitable[Any]) -> Any:
        async def one() -> Any:
            return await call

        return asyncio.run(one())

    def station(
        self, id: str, *, sensor: str = "", role: str = "primary", start: int = ALWAYS, end: int = FOREVER, quantity: str = "water.salinity", **more: Any
    ) -> SeriesKey:
        """Register a station (once) and a sensor at its point `main`."""
        device = sensor or id
        station = Station(id=id, org="default", name=id, public=True, **more)
        where = Deployment(device=device, channel="main", station=id, point="main", start=start, end=end, role=role)
        self.run(self.db.put(station, Device(id=device, org="default"), where, actor="test"))
        return SeriesKey("default", id, "main", device, quantity)

    def measure(
        self,
        key: SeriesKey,
        start: int,
        end: int,
        *,
        step: int = 15 * MINUTE,
        value: float | Callable[[int], float] = 2.0,
        flag: int = Flag.GOOD,
        received: int | None = None,
        judged: bool = True,
        role: str = "primary",
    ) -> None:
        """Readings with start ≤ time < end, received a second after they were measured, or all at once."""
        times = np.arange(start, end, step, dtype=np.int64)
        values = [value(int(t)) if callable(value) else value for t in times]
        came = times + 1000 if received is None else np.full(len(times), received)
        batch = Batch.of([0] * len(times), times, values, flag=[flag if judged else Flag.NOT_EVALUATED] * len(times), received=came)
        self.run(self.store.write(batch, [key]))
        self._position += 1
        newest = Latest(time=int(times[-1]), value=float(values[-1]), flag=flag if judged else Flag.NOT_EVALUATED)
        written = Written(key=key, role=role, newest=newest, received=int(came.max()), dirty_from=start)
        self.run(self.db.commit(Commit(journal="j", state_cursor=self._position, written=(written,))))
        if judged:
            self.judge(key)

    def judge(self, key: SeriesKey) -> None:
        """The judge's answer for a series, from what the store holds."""
        rows = self.run(self.store.read([key], 0, 1 << 62))
        state = next(s for s in self.run(self.db.states(station=key.station)) if s.key == key)
        good = np.flatnonzero(rows.flag == Flag.GOOD)
        latest = [Latest(time=int(rows.time[i]), value=float(rows.value[i]), flag=int(rows.flag[i])) for i in (len(rows) - 1, *good[-1:])]
        answer = Judged(key=key, changed=state.changed, newest=latest[0], good=latest[1] if len(latest) > 1 else None, config="c")
        self.run(self.db.judged([answer]))

    def reflag(self, key: SeriesKey, at: int, flag: int) -> None:
        """The judge changes its mind about one reading."""
        self.run(self.store.write_flags(Batch.of([0], [at], [0.0], flag=[flag]), [key]))
        self.judge(key)

    def round(self, at: int | None = None) -> int:
        """What a round issues, at this instant."""
        if at is not None:
            self.clock.now = at
        return int(self.run(self.issuer.round()).issued)

    def again(self, *, models: Sequence[Model] = (MODEL,), drivers: Sequence[DriverSource] = ()) -> None:
        """The service starts anew, with these models and drivers."""
        self.issuer = Issuer(database=self.db, store=self.store, clock=self.clock, models=models, drivers=drivers)

    def issued(self, station: str, target: str) -> list[Forecast]:
        """Every issue, oldest first."""
        found: list[Forecast] = self.run(self.db.forecasts(station=station, point="main", target=target))
        return found
