"""Debian's Chromium on the pages: an app with many stations on a loopback port, and contexts of a phone's and a desk's size.

Stations of `pages_backend`: stop, wait, measure, take (each fresh, good, with a forecast in which the tide goes on), no-forecast,
stale (two hours old), silent, suspect, fault, a field, one with a name that is markup, one nobody measured, and a private one.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import uvicorn
from servers.backend import DAY_MS, NOW, QUARTER_MS, make_backend
from servers.ports import free_port
from servers.waiting import until

from adapters.sql.database import SqlDatabase
from api.app import create_app
from api.backend import Backend
from api.web.words import midnight
from core.alert import Alert, AlertEvent, Step
from core.bands import LINES, band
from core.batch import Batch
from core.flags import Flag
from core.forecast import HOUR_MS, Forecast, Reason
from core.person import Person
from core.place import Deployment, Device, Org, Station
from core.record import AHEAD, SLUICE, VALUES, WARN_BIN, Day, Score
from core.series import SeriesKey
from core.sluice import OPEN
from core.state import Latest, SeriesState
from registry.waterways import default_waterways

PHONE = (360, 740)
DESK = (1366, 768)
MARKUP = "<img src=x onerror=document.title='owned'> & \"Cống\" 'số 2'"


class Water(NamedTuple):
    """A station's salinity: base [g/L] and swing [share] of its tide, age [ms] and flag of its newest reading, whether it has a forecast."""

    station: str
    name: str
    waterway: str
    km: float
    base: float
    swing: float
    old: int = 5 * 60_000
    flag: int = Flag.GOOD
    forecast: bool = True


WATER = (
    Water("go-quao", "Gò Quao", "cai-lon", 32.0, 6.1, 0.4),
    Water("nuoc-trong", "Ngã ba Nước Trong", "cai-lon", 35.5, 3.2, 0.8),
    Water("cai-tu", "Cái Tư", "cai-lon", 45.0, 1.3, 0.5),
    Water("kenh-lau", "Kênh Lầu", "cai-lon", 57.0, 0.7, 0.2),
    Water("kenh-nam", "Kênh Năm", "cai-lon", 70.0, 0.2, 0.1),
    Water("moi-dat", "Mới Đặt", "hau", 20.0, 0.3, 0.1, forecast=False),
    Water("dai-ngai", "Đại Ngãi", "hau", 30.0, 0.4, 0.1, old=2 * HOUR_MS),
    Water("hoc-po", "Hóc Pó", "hau", 40.0, 2.7, 0.1, old=9 * HOUR_MS, forecast=False),
    Water("an-lac-tay", "An Lạc Tây", "hau", 50.0, 0.3, 0.1, flag=Flag.SUSPECT),
    Water("may-hong", "Cống Hỏng", "hau", 55.0, 0.5, 0.0, flag=Flag.FAIL, forecast=False),
    Water("markup", MARKUP, "hau", 60.0, 0.2, 0.1),
)


def chromium() -> str:
    """Where Chromium is; skips the test where it is nowhere, or fails it with REQUIRE_SERVERS=1."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        why = "chromium is not installed (Debian: apt-get install chromium fonts-noto-core)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return found


def tide(base: float, swing: float, time: int) -> float:
    """Salinity that rises through `base` at NOW with the tide [g/L]."""
    return max(0.0, base * (1 + swing * math.sin(2 * math.pi * (time - NOW) / (12.42 * HOUR_MS))))


def coming(w: Water, *, target: str = "hour") -> Forecast:
    """The tide as a forecast, with a third around it."""
    step, first = (HOUR_MS, NOW - NOW % HOUR_MS) if target == "hour" else (DAY_MS, NOW - (NOW + 7 * HOUR_MS) % DAY_MS + DAY_MS)
    times = tuple(first + i * step for i in range(72 if target == "hour" else 14))
    medians = [tide(w.base, w.swing, t + HOUR_MS // 2) if target == "hour" else w.base * (1 + w.swing) for t in times]
    quantiles = tuple(tuple(m * share for share in (0.75, 0.9, 1.0, 1.1, 1.35)) for m in medians)
    p_gt = tuple(tuple(min(0.98, max(0.02, 0.5 + 2 * math.log(max(m, 0.01) / line))) for line in LINES) for m in medians)
    return Forecast(
        org="vithanh",
        station=w.station,
        point="main",
        target=target,
        model="persistence",
        version="1",
        issued_at=NOW - HOUR_MS // 2,
        data_until=NOW - HOUR_MS,
        inputs="0" * 12,
        leads=tuple(range(1, len(times) + 1)),
        times=times,
        quantiles=quantiles,
        p_gt=p_gt,
    )


def _alert(station: str, kind: str, line: float | None, **facts: Any) -> Step:
    at = NOW - 3 * HOUR_MS
    level = 0 if line is None else band(line)
    alert = Alert(org="vithanh", station=station, point="main", kind=kind, line=line, level=level, state="open", opened_at=at, updated_at=at + HOUR_MS, **facts)
    return Step(alert=alert, event=AlertEvent(at=at, kind="opened", value=alert.value, time=alert.time, p=alert.p))


def alerts() -> list[Step]:
    """Measured at go-quao, forecast at cai-tu, stale and forecast at dai-ngai, silent at hoc-po, and one at the name that is markup."""
    return [
        _alert("go-quao", "observed", 4.0, value=6.1, time=NOW - 5 * 60_000),
        _alert("cai-tu", "forecast", 1.0, value=1.9, time=NOW + 3 * HOUR_MS, p=0.78, model="persistence"),
        _alert("dai-ngai", "forecast", 1.0, value=1.2, time=NOW + 3 * HOUR_MS, p=0.65, model="persistence"),
        _alert("hoc-po", "silent", None, value=2.7, time=NOW - 9 * HOUR_MS),
        _alert("markup", "observed", 1.0, value=1.2, time=NOW - 5 * 60_000),
    ]


def pages_backend(folder: Path, **changed: Any) -> Backend:
    """A backend in `folder` with the stations above; `changed` as in `make_backend`."""
    backend = make_backend(folder, sown=False, **changed)
    assert isinstance(backend.registry, SqlDatabase)
    asyncio.run(_sow(backend.registry, backend))
    return backend


REASONS = (
    Reason(code="tide", effect=1.24, lead=7),
    Reason(code="course", effect=0.41, lead=1),
    Reason(code="driver", name="level.kenh-nam", effect=-0.2, lead=1),
)


def scores() -> list[Score]:
    """An invented record of three stations: a season, and a beginning."""
    found = []
    for station, days in (("cai-tu", 90), ("kenh-lau", 88), ("nuoc-trong", 9)):
        for lead, worse in ((1, 0.0), (3, 0.04), (7, 0.1), (14, 0.16)):
            facts: dict[str, Any] = {"station": station, "point": "main", "target": "day_max", "model": "persistence", "lead": lead, "month": 202602}
            found.append(
                Score(
                    **facts,
                    line=VALUES,
                    bin=0,
                    n=days,
                    missing=2,
                    inside=round((0.91 - worse / 3) * days),
                    within=round((0.86 - worse) * days),
                    error=(0.3 + worse) * days,
                )
            )
            for i, weight in enumerate((0.3, 0.1, 0.07, 0.05, 0.06, 0.05, 0.06, 0.08, 0.1, 0.13)):
                n, p = max(1, round(weight * days)), (0.005, 0.14, 0.25, 0.34, 0.45, 0.55, 0.66, 0.74, 0.85, 0.97)[i]
                came = round(n * min(1.0, max(0.0, p + (0.5 - p) * worse + (0.02 if i in (3, 4) else 0))))
                right = came if i >= WARN_BIN else n - came
                known = {"known": n, "squares_known": 0.1 * n, "squares_reference": (0.19 - worse / 2) * n}
                compared = {"compared": n, "squares_compared": 0.1 * n, "squares_persistence": (0.25 - worse) * n}
                found.append(Score(**facts, line=1.0, bin=i, n=n, said=n * p, events=came, squares=0.1 * n, right=right, **known, **compared))
        for target, hours in AHEAD.items():
            facts = {"station": station, "point": "main", "target": target, "model": "persistence", "lead": hours, "month": 202602}
            found.append(Score(**facts, line=VALUES, bin=0, n=24 * days, missing=11))
            for i, p, come, share in ((0, 0.02, 0.01, 0.5), (2, 0.25, 0.24, 0.1), (5, 0.55, 0.52, 0.1), (7, 0.76, 0.74, 0.1), (9, 0.97, 0.98, 0.2)):
                n = round(24 * days * share)
                came = round(come * n)
                found.append(Score(**facts, line=1.0, bin=i, n=n, said=n * p, events=came, squares=0.05 * n, right=came if i >= WARN_BIN else n - came))
    return found + _openings()


def _openings() -> list[Score]:
    """Of a sluice: an opening twice a day, said again each hour; it came rather more often than at least was said."""
    facts: dict[str, Any] = {"station": "cai-tu", "point": "in", "target": SLUICE[OPEN], "model": "persistence", "lead": 24, "month": 202602}
    found = [Score(**facts, line=VALUES, bin=0, n=2360, missing=84)]
    for i, n, p, come in ((3, 300, 0.34, 0.52), (5, 310, 0.55, 0.68), (6, 480, 0.65, 0.77), (7, 520, 0.74, 0.83), (8, 500, 0.85, 0.9), (9, 250, 0.93, 0.97)):
        came = round(come * n)
        found.append(Score(**facts, line=1.0, bin=i, n=n, said=n * p, events=came, squares=0.05 * n, right=came))
    return found


def days() -> list[Day]:
    """Invented days of the same stations: salt comes with the spring tides, mostly warned of; one sensor was silent for a few days."""
    found = []
    for station, count in (("cai-tu", 90), ("kenh-lau", 88), ("nuoc-trong", 9)):
        for n in range(count, 0, -1):
            salty = n % 15 < 6 and n < 70
            p = 0.9 if salty and n % 15 != 3 else 0.4 if salty else 0.7 if n % 15 == 6 else 0.1
            came = None if n in (40, 41, 42) else 2.3 if salty else 0.4
            time = midnight(NOW, "Asia/Ho_Chi_Minh", -1 - n)
            found.append(Day(station=station, point="main", target="day_max", time=time, model="persistence", said=(p, p, p / 2, 0.0), came=came))
    return found


async def _sow(db: SqlDatabase, backend: Backend) -> None:
    others = (
        Station(id="ruong-8", org="vithanh", name="Ruộng tám Lúa", intake="kenh-nam", public=True),
        Station(id="tram-moi", org="vithanh", name="Trạm mới", public=True),
        Station(id="rieng", org="vithanh", name="Ao riêng", waterway="hau", km=70.0),
    )
    stations = [Station(id=w.station, org="vithanh", name=w.name, waterway=w.waterway, km=w.km, public=True) for w in WATER]
    await db.put(Org(id="vithanh", name="Vị Thanh"), *default_waterways(), actor="test")
    await db.put(*stations, *others, actor="test")
    await db.put(*(Device(id=f"d-{w.station}", org="vithanh") for w in WATER), Device(id="d-check", org="vithanh"), actor="test")
    standing = [Deployment(device=f"d-{w.station}", channel="main", station=w.station, point="main", interval_s=900) for w in WATER]
    beside = Deployment(device="d-check", channel="main", station="kenh-lau", point="main", role="check", interval_s=900)
    await db.put(*standing, beside, actor="test")
    await db.add_scores(scores(), days(), name="record", was=0, value=1)
    await db.put_person(Person(name="lan", org="vithanh", role="officer", password="-", must_change=False), actor="test")
    states = []
    for w in WATER:
        key = SeriesKey("vithanh", w.station, "main", f"d-{w.station}", "water.salinity")
        times = [NOW - w.old - QUARTER_MS * i for i in range(7 * 96, -1, -1)]
        values = [round(tide(w.base, w.swing, t), 3) for t in times]
        flags = np.full(len(times), Flag.GOOD, dtype=np.uint8)
        tests = np.zeros(len(times), dtype=np.int64)
        flags[-1], tests[-1] = w.flag, {Flag.SUSPECT: 2, Flag.FAIL: 1}.get(Flag(w.flag), 0)  # stuck, range
        await backend.store.write(Batch.of([0] * len(times), times, values, flag=flags, tests=tests), [key])
        newest = Latest(time=times[-1], value=values[-1], flag=int(w.flag))
        good = newest if w.flag == Flag.GOOD else Latest(time=times[-2], value=values[-2], flag=int(Flag.GOOD))
        states.append(_state(key, "primary", newest, good))
    check = SeriesKey("vithanh", "kenh-lau", "main", "d-check", "water.salinity")
    last = Latest(time=NOW - QUARTER_MS, value=0.75, flag=int(Flag.GOOD))
    await backend.store.write(Batch.of([0], [last.time], [last.value], flag=np.array([1], dtype=np.uint8)), [check])
    await db.replace([*states, _state(check, "check", last, last)])
    issues = [coming(w, target=t) for w in WATER if w.forecast for t in ("hour", "day_max")]
    await db.issue([replace(f, reasons=REASONS, missing=("discharge",)) if f.station == "cai-tu" else f for f in issues])
    await db.take_steps(alerts())


def _state(key: SeriesKey, role: str, newest: Latest, good: Latest) -> SeriesState:
    return SeriesState(
        key=key, role=role, newest=newest, received=newest.time + 2000, judged=newest, good=good, dirty_from=None, changed=0, interval_ms=QUARTER_MS
    )


@contextmanager
def serving(backend: Backend) -> Iterator[str]:
    """The app on a free loopback port in a thread; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(backend), host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, 20, "the app accepts connections")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
