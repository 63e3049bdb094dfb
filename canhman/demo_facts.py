"""What the demo's screen shows, read from database and store as any other reader would: nothing is derived that a page does not show too."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from adapters.sql.database import SqlDatabase
from alerts.listing import highest
from alerts.message import action, text
from api.access import ANONYMOUS
from api.best import Stretch, stretches
from api.reach_now import WINDOW_MS, WaterwayNow, lines
from api.web.history import History, trend
from canhman import wiring
from canhman.serving import services, trouble_of
from canhman.settings import Settings
from core.alert import Alert
from core.batch import Batch
from core.clock import Clock
from core.flags import Flag
from core.place import Station
from core.ports import SeriesStore
from core.risk import Risk
from core.series import SeriesKey
from core.state import Latest
from core.verdict import Verdict
from registry.directory import Directory
from registry.situation import SALINITY, Situation

HOUR_MS = 3_600_000
HOURS = 24
ALIVE = "device.battery"  # every object of a simulated device has it, once


@dataclass(frozen=True, slots=True, kw_only=True)
class StationFacts:
    """One line of the screen. `value` is the judged one [g/L]; `hours` the highest good value of each of the last 24 h, None where there is none."""

    station: Station
    verdict: Verdict
    value: float | None
    age_ms: int | None
    trend: str
    hours: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """An alert's last step in words. `sign` is the shape the pages give it, by what is to be done; None where no band is known."""

    id: int
    at: int
    sign: int | None
    kind: str
    state: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One moment. `stored` counts the objects of the simulated devices that stand in the store; `models` issued the `forecasts` of hours.

    `troubles`: what is wrong with a service in words, as `/readyz` and doctor have it.
    """

    now: int
    stations: tuple[StationFacts, ...]
    waterways: tuple[WaterwayNow, ...]
    alerts: tuple[AlertFacts, ...]
    open_alerts: int
    forecasts: int
    stored: int
    dead_letters: int
    models: tuple[str, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """Reads `Facts`; keeps the directory while it does not change, and how far the store was counted."""

    def __init__(self, db: SqlDatabase, settings: Settings, devices: Sequence[str], risk: Risk, clock: Clock, lang: str = "vi") -> None:
        self._db = db
        self._clock = clock
        self._lang = lang
        self._store: SeriesStore = wiring.store(settings, shared=True)
        self._folder = wiring.data_folder(settings)
        self._devices = frozenset(devices)
        self._risk = risk
        self._directory: Directory | None = None
        self._counted: dict[SeriesKey, tuple[int, int]] = {}  # objects, and the time up to which [ms]

    async def open(self) -> None:
        """Open the store for reading."""
        await self._store.open()

    async def close(self) -> None:
        """Close it."""
        await self._store.close()

    async def look(self) -> Facts:
        """Everything as of now; in a thread, for the answers may take their time."""
        return await asyncio.to_thread(lambda: asyncio.run(self._look()))

    async def _look(self) -> Facts:
        db = self._db
        if self._directory is None or await db.version() != self._directory.version:
            self._directory = Directory(await db.snapshot())
        directory = self._directory
        states = await db.states()
        now = self._clock.now_ms()  # after them: at 600 times real time a second's delay would put a reading ten minutes ahead of us
        forecasts = await db.latest_forecasts(target="hour", until=now)
        situation = Situation(directory, states, forecasts, self._risk)
        told = [f for f in forecasts if situation.believes(f, now)]  # not what was taken back, or is too old
        keys = [s.key for s in states]
        rows, parts = await self._salinity(situation, keys, now)
        maxima = _maxima(rows, parts)
        stations = tuple(_station(s, situation, rows, parts, now) for s in sorted(directory.snapshot.stations, key=_place))
        newest = await db.alerts(limit=50)
        opened = await db.alerts(states=("open", "acknowledged"), limit=1000)
        return Facts(
            now=now,
            stations=stations,
            waterways=tuple(lines(situation, maxima, now, ANONYMOUS)),
            alerts=tuple(_alert(a, directory, now, self._lang) for a in sorted(highest(newest), key=lambda a: (a.updated_at, a.id), reverse=True)),
            open_alerts=len(highest(opened)),
            forecasts=len(told),
            stored=await self._objects(keys),
            dead_letters=sum((await db.dead_letter_counts()).values()),
            models=tuple(sorted({f.model for f in told})),
            troubles={name: trouble for name, service in services(self._folder).items() if (trouble := trouble_of(name, service))},
        )

    async def _salinity(self, situation: Situation, keys: Sequence[SeriesKey], now: int) -> tuple[Batch, list[Stretch]]:
        """The last 25 h at the point each verdict is read at."""
        start, end = now - WINDOW_MS, now + 1
        parts: list[Stretch] = []
        for station in situation.directory.snapshot.stations:
            point = situation.verdict_point(station.id)
            if point is not None:
                parts += stretches(situation.directory, keys, station=station.id, point=point, quantity=SALINITY, start=start, end=end)
        if not parts:
            return Batch.empty(), parts
        rows = await self._store.read([p.key for p in parts], start, end)
        low, high = (np.array([getattr(p, side) for p in parts], dtype=np.int64) for side in ("start", "end"))
        return rows.take((rows.flag == Flag.GOOD) & (rows.time >= low[rows.series]) & (rows.time < high[rows.series])), parts

    async def _objects(self, keys: Sequence[SeriesKey]) -> int:
        for key in keys:
            if key.quantity == ALIVE and key.sensor in self._devices:
                count, until = self._counted.get(key, (0, 0))
                new = await self._store.read([key], until, 1 << 62)
                if len(new):
                    # the newest row is counted again at the next look, for its neighbour may still come
                    self._counted[key] = (count + len(new) - 1, int(new.time[-1]))
        return sum(count + 1 for count, _ in self._counted.values())


def _place(station: Station) -> tuple[str, float, str]:
    return (station.waterway or "~", station.km if station.km is not None else 0.0, station.id)


def _maxima(rows: Batch, parts: Sequence[Stretch]) -> dict[str, float]:
    found: dict[str, float] = {}
    for i, part in enumerate(parts):
        values = rows.value[rows.series == i]
        if len(values):
            found[part.key.station] = max(float(values.max()), found.get(part.key.station, -np.inf))
    return found


def _station(station: Station, situation: Situation, rows: Batch, parts: Sequence[Stretch], now: int) -> StationFacts:
    verdict = situation.verdict(station.id, now)
    of = situation.source_of(station.id)
    point = situation.verdict_point(of)
    water = situation.water(of, point) if point is not None else None
    last = (water.judged or water.newest) if water is not None else None
    mine = np.isin(rows.series, [i for i, p in enumerate(parts) if p.key.station == of])
    past = History(rows=rows.take(np.flatnonzero(mine)[np.argsort(rows.time[mine], kind="stable")]))
    times, values = past.rows.time, past.rows.value
    hours: list[float | None] = []
    for h in range(HOURS):
        within = values[(times > now - (HOURS - h) * HOUR_MS) & (times <= now - (HOURS - h - 1) * HOUR_MS)]
        hours.append(float(within.max()) if len(within) else None)
    return StationFacts(
        station=station,
        verdict=verdict,
        value=None if verdict.band is None or last is None else last.value,
        age_ms=None if last is None else now - last.time,
        trend="" if verdict.band is None or last is None else trend_word(past, last),
        hours=tuple(hours),
    )


def trend_word(past: History, last: Latest) -> str:
    """rising, falling or steady, as the pages have it; nothing where the hour before was not measured."""
    return "" if past.before(last.time - HOUR_MS) is None else ("steady", "rising", "falling")[trend(past, last)]


def _alert(alert: Alert, directory: Directory, now: int, lang: str) -> AlertFacts:
    station = directory.station(alert.station)
    words = text(alert, station=station, lang=lang, now=now).summary if station is not None else alert.station
    return AlertFacts(
        id=alert.id,
        at=alert.updated_at,
        sign=action(alert) if alert.line is not None and 0 < alert.level <= 4 else None,
        kind=alert.kind,
        state=alert.state,
        words=words,
    )
