"""How long every query of the boards takes beside the plainest one: `python bench/board_queries.py [STATIONS …]` (50 and 1,000).

30 days of readings every 15 minutes stand in a real InfluxDB 1.x, with stations, newest values and forecasts as the services
write them. The peer, in the same run: `SELECT "salinity"` of one station over the same 30 days, 2,880 points as they are
stored. Milliseconds are the middle of three runs, the answer read.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from canhman.boards import SLOW_MS, Asked, asked, documents
from core.bands import LINES
from core.batch import Batch
from core.board import Shown
from core.clock import SystemClock
from core.forecast import QUANTILES, Forecast
from core.place import Station
from core.series import SeriesKey

HOUR = 3_600_000
DAY = 24 * HOUR
STEP = 15 * 60_000
DAYS = 30
RIVERS = {f"song-{n}": f"Sông {n}" for n in range(4)}
QUANTITIES = ("water.salinity", "water.ec", "water.temperature", "water.level")


async def fill(store: InfluxStore, stations: int, now: int) -> None:
    """A fortnight's tide at every station, all of it judged good."""
    times = np.arange(now - DAYS * DAY, now, STEP, dtype=np.int64)
    tide = 2.0 + np.sin(2 * np.pi * times / (12.42 * HOUR)) + np.cos(2 * np.pi * times / (14.77 * DAY))
    ids = [f"s{n:04d}" for n in range(stations)]
    for n, station in enumerate(ids):
        keys = [SeriesKey("default", station, "main", station, q) for q in QUANTITIES]
        value = np.round(tide * (0.2 + n % 7), 2)
        series = np.repeat(np.arange(len(keys)), len(times))
        batch = Batch.of(series, np.tile(times, len(keys)), np.tile(value, len(keys)), flag=[1] * len(series), received=np.tile(times + 1000, len(keys)))
        assert not await store.write(batch, keys)
        device = [SeriesKey("default", station, "device", station, "device.battery")]
        assert not await store.write(Batch.of([0] * len(times), times, [3.7] * len(times), flag=[1] * len(times), received=times + 1000), device)
    await store.mirror_stations([_station(n, s) for n, s in enumerate(ids)], RIVERS, now - DAYS * DAY)
    await store.mirror_latest([_shown(n, s, now) for n, s in enumerate(ids)])
    for target, step, leads in (("hour", HOUR, 72), ("day_max", DAY, 14), ("day_min", DAY, 14)):
        await store.mirror_forecasts([_forecast(s, target, step, leads, now) for s in ids])


def _station(n: int, id: str) -> Station:
    return Station(id=id, org="default", name=f"Trạm {n}", waterway=list(RIVERS)[n % 4], km=float(n % 80), lat=9.5 + n % 50 / 100, lon=105.2 + n % 70 / 100)


def _shown(n: int, id: str, now: int) -> Shown:
    river = RIVERS[list(RIVERS)[n % 4]]
    return Shown(
        org="default",
        station=id,
        point="main",
        time=now + HOUR,
        fresh=n % 20 != 0,
        seen=now - STEP,
        flag=1,
        salinity=0.1 + n % 7,
        is_verdict_point=True,
        name=f"Trạm {n}",
        waterway=river,
    )


def _forecast(station: str, target: str, step: int, leads: int, now: int) -> Forecast:
    return Forecast(
        org="default",
        station=station,
        point="main",
        target=target,
        model="bench",
        version="1",
        issued_at=now,
        data_until=now,
        inputs="",
        leads=tuple(range(1, leads + 1)),
        times=tuple(now // step * step + step * lead for lead in range(1, leads + 1)),
        quantiles=(tuple(float(i) for i, _ in enumerate(QUANTILES)),) * leads,
        p_gt=(tuple(0.9 - 0.2 * i for i, _ in enumerate(LINES)),) * leads,
    )


async def peer(store: InfluxStore, now: int) -> tuple[int, float]:
    """(points, ms) of the plainest query."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        (found,) = await store.ask(f'SELECT "salinity" FROM "water" WHERE "station" = \'s0000\' AND time >= {now - DAYS * DAY}ms')  # noqa: S608 numbers
        took.append(1000 * (time.perf_counter() - begun))
    return len(found.rows), sorted(took)[1]


async def measure(stations: int, folder: Path) -> None:
    now = SystemClock().now_ms() // STEP * STEP
    server = InfluxD(folder / "influx").start()
    try:
        store = InfluxStore(server.url, database="bench", cursor_path=folder / "cursor", timeout=60)
        await store.create()
        begun = time.perf_counter()
        await fill(store, stations, now)
        print(f"{stations} stations, {DAYS} days; filled in {time.perf_counter() - begun:.0f} s")
        points, plain = await peer(store, now)
        print(f"  the peer: {points} points of one series as stored, {plain:.1f} ms")
        found: list[Asked] = []
        for document in documents("vi").values():
            found += (await asked(document, store.ask, now=now, days=DAYS)).queries
        for one in sorted(found, key=lambda a: -a.ms)[:5]:
            print(f"  {one.ms:7.1f} ms = {one.ms / plain:5.1f} × the peer  {one.series:5} series {one.points:6} points  {one.panel} {one.ref}")
        print(
            f"  {len(found)} queries, together {sum(a.ms for a in found):.0f} ms; slower than {SLOW_MS:g} ms: {sum(a.ms > SLOW_MS for a in found)}", flush=True
        )
        await store.close()
    finally:
        server.stop()


def main() -> None:
    for stations in [int(a) for a in sys.argv[1:]] or [50, 1000]:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(stations, Path(folder)))


if __name__ == "__main__":
    main()
