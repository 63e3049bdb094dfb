"""What one round of forecasts costs beside reading alone: `python bench/forecast_round.py [--learned] [POINTS …]` (12 and 1,000).

77 days of readings every 15 minutes stand in a SQLite store; each point is due for its days and hours. CPU seconds of one
process: reading every point, the models, the append, and the same round an hour later when a tenth of the points has news.
With `--learned` the days are told by an ensemble of 14 leads, learned from 12 stations x 3 seasons first (minutes; run it with OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from analytics.daily.models.ensemble import Ensemble, fit_ensemble
from analytics.daily.panel import TWELFTHS, Daily
from analytics.issuing import Issuer, Round
from analytics.learned import FITTED_LEADS, days_model
from analytics.model import Model, models
from core.bands import LINES
from core.batch import Batch
from core.model_card import ModelCard
from core.place import Deployment, Device, Station
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, Written

MINUTE = 60_000
HOUR = 60 * MINUTE
DAYS = 77
STEP = 15 * MINUTE
NOW = 1_772_402_400_000  # 05:00 in Vietnam
NEWS = 10  # every tenth point


class Hands:
    """A clock that is moved by hand."""

    now = NOW

    def now_ms(self) -> int:
        return self.now

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds


class Watch:
    """CPU seconds by name: SQLite works within this process, and neighbours on the machine do not count."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - begun


def keys_of(points: int) -> list[SeriesKey]:
    return [SeriesKey("default", f"s{n:04d}", "main", f"s{n:04d}", "water.salinity") for n in range(points)]


async def write(store: SqliteStore, db: SqlDatabase, keys: list[SeriesKey], start: int, end: int, position: int) -> None:
    """Readings of these, judged good, as ingest and judge leave them: a fortnight's tide that rises and falls."""
    times = np.arange(start, end, STEP, dtype=np.int64)
    tide = 2.0 + np.sin(2 * np.pi * times / (12.42 * HOUR)) + np.cos(2 * np.pi * times / (14.77 * 24 * HOUR))
    written, answers = [], []
    for n, key in enumerate(keys):
        value = np.round(tide * (0.2 + n % 7) + np.random.default_rng(n).random(len(times)) * 0.1, 2)
        await store.write(Batch.of([0] * len(times), times, value, flag=[1] * len(times), received=times + 1000), [key])
        newest = Latest(time=int(times[-1]), value=float(value[-1]), flag=1)
        written.append(Written(key=key, role="primary", newest=newest, received=newest.time + 1000, dirty_from=int(times[0])))
        answers.append(newest)
    await db.commit(Commit(journal="j", state_cursor=position, written=tuple(written)))
    states = {s.key: s.changed for s in await db.states()}
    await db.judged([Judged(key=k, changed=states[k], newest=a, good=a, config="c") for k, a in zip(keys, answers, strict=True)])


async def fill(store: SqliteStore, db: SqlDatabase, keys: list[SeriesKey]) -> None:
    items: list[Station | Device | Deployment] = []
    for key in keys:
        items += [Station(id=key.station, org="default", name=key.station), Device(id=key.sensor, org="default")]
        items.append(Deployment(device=key.sensor, channel="main", station=key.station, point="main"))
    await db.put(*items, actor="bench")
    await write(store, db, keys, NOW - DAYS * 24 * HOUR, NOW, 1)


def watched(model: Model, watch: Watch) -> Model:
    def say(*args: object) -> object:
        with watch.on("model"):
            return model.say(*args)  # type: ignore[arg-type]  # a spy takes whatever `say` takes

    return Model(name=model.name, version=model.version, targets=model.targets, say=say)  # type: ignore[arg-type]  # a spy takes whatever `say` takes


def ensemble(stations: int = 12, seasons: int = 3, season: int = 180) -> Ensemble:
    """Learned from made days as rich in rows as training ever uses."""
    rng = np.random.default_rng(0)
    days = np.arange("2020-01-01", f"{2020 + seasons - 1}-07-01", dtype="datetime64[D]")
    t = np.arange(len(days))[:, None]
    salt = np.exp(0.7 + 0.5 * np.cos(2 * np.pi * t / 14.765) + np.cumsum(rng.normal(0, 0.05, (len(days), stations)), axis=0) * 0.3)
    salt[days.astype("datetime64[M]").astype(np.int64) % 12 >= season // 30] = np.nan
    parts = {"target": salt, "high": salt, "low": 0.4 * salt, "mean": 0.7 * salt, "last": 0.8 * salt, "evening": 0.75 * salt}
    daily = Daily(
        zone="Asia/Ho_Chi_Minh", days=days, stations=tuple(f"s{i}" for i in range(stations)), drivers={}, course=0.7 * salt * np.ones((TWELFTHS, 1, 1)), **parts
    )
    return fit_ensemble(daily, FITTED_LEADS, LINES, jobs=2)


def speakers(learned: Ensemble | None) -> list[Model]:
    """The learned model for both targets of days, where there is one, and persistence."""
    found = [models()["persistence"]]
    for target in ("day_min", "day_max") if learned is not None else ():
        card = ModelCard(
            target=target, model="ensemble", version="bench", trained_at=NOW, data_from="", data_until="", stations=(), drivers=(), rows=0, source="made",
            held_out=None,
        )  # fmt: skip
        found.insert(0, days_model(learned, card))  # type: ignore[arg-type]  # there is one here
    return found


async def measure(points: int, folder: Path, learned: Ensemble | None) -> None:
    url = f"sqlite:///{folder / 'registry.db'}"
    prepare(url)
    db, store, clock = open_database(url), SqliteStore(folder / "series.db", synchronous="NORMAL"), Hands()
    await store.open()
    keys = keys_of(points)
    await fill(store, db, keys)
    watch = Watch()
    with watch.on("reading alone"):
        for first in range(0, points, 8):
            await store.read(keys[first : first + 8], NOW - DAYS * 24 * HOUR, NOW + HOUR)
    issuer = Issuer(database=db, store=store, clock=clock, models=[watched(model, watch) for model in speakers(learned)])

    async def round_(name: str) -> Round:
        watch.seconds["model"] = 0.0
        with watch.on(name):
            return await issuer.round()

    done = await round_("a whole round")
    model = watch.seconds["model"]
    with watch.on("nothing due"):
        await issuer.round()
    await write(store, db, keys[::NEWS], NOW, NOW + HOUR, 2)
    clock.now = NOW + HOUR
    later = await round_("an hour later")
    await store.close()
    db.close()
    s = watch.seconds
    whole, alone = s["a whole round"], s["reading alone"]
    print(f"{points} points: reading alone {alone:.2f} s; a whole round {whole:.2f} s = {whole / alone:.2f} times that")
    print(f"  {done.issued} issues, {1000 * whole / points:.1f} ms a point, of which the models {1000 * model / points:.1f} ms")
    news, quiet = len(keys[::NEWS]), 1000 * s["nothing due"]
    print(f"  an hour later, news of {news}: {later.issued} issues, {later.read} points read, {s['an hour later']:.2f} s; nothing due {quiet:.1f} ms")
    print(f"  highest memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB", flush=True)


def main() -> None:
    begun = time.perf_counter()
    learned = ensemble() if "--learned" in sys.argv else None
    if learned is not None:
        print(f"learned in {time.perf_counter() - begun:.0f} s of the clock", flush=True)
    for points in [int(a) for a in sys.argv[1:] if a != "--learned"] or [12, 1000]:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(points, Path(folder), learned))


if __name__ == "__main__":
    main()
