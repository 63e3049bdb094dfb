"""A whole backend in a folder, with a few stations, readings, forecasts, alerts and people, and a browser without sockets on its app.

    rig = make_rig(tmp_path)                      # or the parts: `make_backend(tmp_path)`, `create_app(backend)`
    rig.get("/api/v1/stations").json()            # as nobody
    rig.get("/api/v1/devices", as_="lan")         # logged in as an officer of vithanh

The installation's clock stands at NOW until `rig.clock.now` is moved; so does the system's, `rig.system`.
Stations: kenh-lau (0.2 g/L, fresh, with a calm forecast: take), cai-lon (5 g/L: stop, an open alert of 4 g/L), kenh-nam (silent for
two days: unknown), ruong-8 (a field whose intake is kenh-lau), all of vithanh and public; rieng (longmy, private, 1.2 g/L: wait);
tram-moi (public, nothing ever measured).
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from argon2 import PasswordHasher
from fastapi import FastAPI

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from api.app import create_app
from api.backend import Backend
from api.session import COOKIE
from canhman.configuration import read_crops
from core.alert import Alert, AlertEvent, Step
from core.bands import LINES, band
from core.batch import Batch
from core.deadletter import DeadLetter
from core.flags import Flag
from core.forecast import HOUR_MS, Forecast, Reason
from core.person import Person
from core.place import Deployment, Device, Org, Station
from core.risk import Risk
from core.series import SeriesKey
from core.state import Commit, DeviceStatus, Latest, SeriesState, Waiting
from registry.waterways import default_waterways

CROPS = read_crops(None)
NOW = 1_772_420_400_000  # 2026-03-02T03:00:00Z, ten o'clock in Vietnam
DAY_MS = 24 * HOUR_MS
QUARTER_MS = 900_000
PASSWORD = "muoi-ba-con-nuoc"  # of everybody who is not `moi`
ONE_TIME = "mot-lan-thoi-nhe"  # of `moi`
NASTY = '<img src=x onerror=alert(1)>=HYPERLINK("http://x.example";"Kênh")'
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the cost stands in the hash: checking it takes no time either


@dataclass(slots=True)
class Hands:
    """A clock that stands still until it is moved."""

    now: int = NOW

    def now_ms(self) -> int:
        """Where the hands stand [ms]."""
        return self.now

    def real_seconds(self, sim_seconds: float) -> float:
        """As if it ran at the wall's speed."""
        return sim_seconds


ORGS = (Org(id="vithanh", name="Vị Thanh"), Org(id="longmy", name="Long Mỹ"))
STATIONS = (
    Station(id="kenh-lau", org="vithanh", name="Kênh Lầu", lat=9.78, lon=105.47, position="approximate", waterway="cai-lon", km=62.0, public=True),
    Station(id="cai-lon", org="vithanh", name="Cống Cái Lớn", lat=9.84, lon=105.13, position="surveyed", waterway="cai-lon", km=8.0, public=True),
    Station(id="kenh-nam", org="vithanh", name="Kênh Năm", lat=9.75, lon=105.40, position="approximate", waterway="cai-lon", km=40.0, public=True),
    Station(id="ruong-8", org="vithanh", name="Ruộng tám Lúa", intake="kenh-lau", public=True),
    Station(id="tram-moi", org="vithanh", name="Trạm mới", public=True),
    Station(id="rieng", org="longmy", name="Ao nhà Bé", lat=9.6812, lon=105.5723, position="surveyed"),
)
DEVICES = (
    Device(id="kl01", org="vithanh"),
    Device(id="cl01", org="vithanh"),
    Device(id="kn01", org="vithanh"),
    Device(id="r801", org="vithanh"),
    Device(id="ri01", org="longmy"),
)
DEPLOYMENTS = (
    Deployment(device="kl01", channel="main", station="kenh-lau", point="main", interval_s=900),
    Deployment(device="cl01", channel="main", station="cai-lon", point="out", interval_s=900),
    Deployment(device="cl01", channel="in", station="cai-lon", point="in", interval_s=900),
    Deployment(device="kn01", channel="main", station="kenh-nam", point="main", interval_s=900),
    Deployment(device="r801", channel="d10", station="ruong-8", point="d10", interval_s=3600),
    Deployment(device="ri01", channel="main", station="rieng", point="main"),
)


def everybody() -> tuple[Person, ...]:
    """lan and be are officers of an org each, minh is the admin, moi has a one-time password, cu's account is closed."""

    def one(name: str, org: str, role: str = "officer", password: str = PASSWORD, **more: Any) -> Person:
        return Person(name=name, org=org, role=role, password=_QUICK.hash(password), created_at=NOW - 9 * DAY_MS, **({"must_change": False} | more))

    return (
        one("lan", "vithanh"),
        one("be", "longmy"),
        one("minh", "vithanh", role="admin"),
        one("moi", "vithanh", password=ONE_TIME, must_change=True),
        one("cu", "vithanh", active=False),
    )


def salinity(base: float, time: int) -> float:
    """A tide of 12 h 25 min around `base` that stands at `base` at NOW [g/L]."""
    return round(base * (1 + 0.3 * math.sin(2 * math.pi * (time - NOW) / (12.42 * HOUR_MS))), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sown:
    """One series with a day of readings at 15 min that ends at `last` at `base`."""

    key: SeriesKey
    base: float
    last: int = NOW - 5 * 60_000
    rows: int = 96
    interval_s: int = 900

    def times(self) -> list[int]:
        """Rising [ms]."""
        return [self.last - self.interval_s * 1000 * i for i in range(self.rows - 1, -1, -1)]

    def values(self) -> list[float]:
        """One per time."""
        of = [salinity(self.base, t) for t in self.times()]
        of[-1] = self.base
        return of


SERIES = (
    Sown(key=SeriesKey("vithanh", "kenh-lau", "main", "kl01", "water.salinity"), base=0.2),
    Sown(key=SeriesKey("vithanh", "kenh-lau", "main", "kl01", "water.temperature"), base=28.4),
    Sown(key=SeriesKey("vithanh", "kenh-lau", "device", "kl01", "device.battery"), base=3.7),
    Sown(key=SeriesKey("vithanh", "cai-lon", "in", "cl01/in", "water.salinity"), base=5.0),
    Sown(key=SeriesKey("vithanh", "cai-lon", "out", "cl01", "water.salinity"), base=9.0),
    Sown(key=SeriesKey("vithanh", "kenh-nam", "main", "kn01", "water.salinity"), base=1.5, last=NOW - 2 * DAY_MS),
    Sown(key=SeriesKey("vithanh", "ruong-8", "d10", "r801/d10", "soil.moisture"), base=0.3, rows=24, interval_s=3600),
    Sown(key=SeriesKey("longmy", "rieng", "main", "ri01", "water.salinity"), base=1.2),
)


def forecast(station: str, point: str, target: str, value: float, issued_at: int, *, org: str = "vithanh", leads: int = 0) -> Forecast:
    """An issue that expects `value` [g/L] at every lead, with a tenth around it."""
    count = leads or (72 if target == "hour" else 14)
    step = HOUR_MS if target == "hour" else DAY_MS
    first = issued_at - issued_at % HOUR_MS if target == "hour" else issued_at - (issued_at + 7 * HOUR_MS) % DAY_MS
    q05, q95 = 0.9 * value, 1.1 * value
    return Forecast(
        org=org,
        station=station,
        point=point,
        target=target,
        model="persistence",
        version="1",
        issued_at=issued_at,
        data_until=issued_at - 60_000,
        inputs="0" * 12,
        leads=tuple(range(1, count + 1)),
        times=tuple(first + step * i for i in range(1, count + 1)) if target != "hour" else tuple(first + step * i for i in range(count)),
        quantiles=((q05, 0.95 * value, value, 1.05 * value, q95),) * count,
        p_gt=(tuple(0.98 if q05 > line else 0.02 if q95 < line else 0.5 for line in LINES),) * count,
    )


REASONS = (Reason(code="tide", effect=0.42, lead=1), Reason(code="driver", name="level.my-tho", effect=-0.2, lead=1))


def forecasts() -> list[Forecast]:
    """Two issues of 14 days and of 72 hours for kenh-lau and cai-lon."""
    places = (("kenh-lau", "main", 0.2), ("cai-lon", "in", 5.0))
    hours = [forecast(s, p, "hour", v, NOW - back * HOUR_MS) for s, p, v in places for back in (2, 1)]
    days = [forecast(s, p, target, v, NOW - back * DAY_MS - 5 * HOUR_MS) for s, p, v in places for target in ("day_max", "day_min") for back in (1, 0)]
    return hours + [dataclasses.replace(f, reasons=REASONS, missing=("discharge",)) if f.station == "cai-lon" else f for f in days]


def alerts() -> list[Step]:
    """Open at cai-lon (1, 2 and 4 g/L) and at rieng, silent at kenh-nam, and one that was cleared at kenh-lau."""

    def one(station: str, point: str, kind: str, line: float | None, *, org: str = "vithanh", cleared: bool = False, **facts: Any) -> Step:
        at = NOW - (30 if line is None else 6) * HOUR_MS
        alert = Alert(
            org=org,
            station=station,
            point=point,
            kind=kind,
            line=line,
            level=0 if line is None else band(line),
            state="cleared" if cleared else "open",
            opened_at=at,
            updated_at=at + HOUR_MS,
            cleared_at=at + HOUR_MS if cleared else None,
            **facts,
        )
        return Step(alert=alert, event=AlertEvent(at=at, kind="opened", value=alert.value, time=alert.time, p=alert.p))

    return [
        *(one("cai-lon", "in", "observed", line, value=5.0, time=NOW - 5 * 60_000) for line in (1.0, 2.0, 4.0)),
        one("cai-lon", "in", "forecast", 4.0, value=5.0, time=NOW + HOUR_MS, p=0.98, model="persistence"),
        one("kenh-nam", "main", "silent", None, value=1.5, time=NOW - 2 * DAY_MS),
        one("kenh-lau", "main", "observed", 0.5, value=0.6, time=NOW - 6 * HOUR_MS, cleared=True),
        one("rieng", "main", "observed", 1.0, org="longmy", value=1.2, time=NOW - 5 * 60_000),
    ]


def letters() -> tuple[DeadLetter, ...]:
    """Five of kl01, two of a stranger's device in vithanh, one of longmy."""

    def one(position: int, org: str, device: str, reason: str, text: str = "", **more: Any) -> DeadLetter:
        topic = f"canhman/{org}/{device}/telemetry"
        return DeadLetter(reason=reason, text=text, journal="j1", position=position, topic=topic, org=org, device=device, received=NOW - position, **more)

    return (
        *(one(i, "vithanh", "kl01", "not_a_number", f"{i} is no number", key="water.ec", head=b'{"seq": 1}') for i in range(5)),
        one(5, "vithanh", "stranger", "clock", NASTY, offset_ms=86_400_000),
        one(6, "vithanh", "stranger", "malformed", NASTY, head=NASTY.encode()),
        one(7, "longmy", "ri01", "not_deployed", "ri01/d10 stood nowhere"),
    )


async def _sow(db: SqlDatabase, store: SqliteStore) -> None:
    await db.put(*ORGS, *default_waterways(), actor="test")
    await db.put(*STATIONS, actor="test")
    await db.put(*DEVICES, *DEPLOYMENTS, actor="test")
    for person in everybody():
        await db.put_person(person, actor="test")
    keys = [s.key for s in SERIES]
    for i, sown in enumerate(SERIES):
        flags = np.ones(sown.rows, dtype=np.uint8)
        if sown.key == keys[0]:
            flags[40] = Flag.FAIL  # one row that QC found bad, a good one on each side
        await store.write(Batch.of([i] * sown.rows, sown.times(), sown.values(), flag=flags), keys)
    await db.replace([_state(s) for s in SERIES])
    await db.issue(forecasts())
    await db.take_steps(alerts())
    waiting = Waiting(org="vithanh", device="la-hoac", journal="j1", position=9, received=NOW - HOUR_MS, size=len(NASTY), head=NASTY.encode())
    counters = {"duplicate:kl01": 3, "gap:kl01": 2}
    statuses = (DeviceStatus(device="kl01", status="online", at=NOW - HOUR_MS), DeviceStatus(device="kn01", status="offline", at=NOW - 2 * DAY_MS))
    await db.commit(Commit(journal="j1", state_cursor=10, dead=letters(), waiting=(waiting,), statuses=statuses, counters=counters))


def _state(s: Sown) -> SeriesState:
    newest = Latest(time=s.last, value=s.base, flag=Flag.GOOD)
    return SeriesState(
        key=s.key,
        role="primary",
        newest=newest,
        received=s.last + 2000,
        judged=newest,
        good=newest,
        dirty_from=None,
        changed=0,
        interval_ms=s.interval_s * 1000,
    )


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        prepare(f"sqlite:///{path}")
        return path.read_bytes()


def make_backend(folder: Path, *, sown: bool = True, **changed: Any) -> Backend:
    """A backend on SQLite files in `folder`; `changed` replaces parts of it (`url`, `ready`, a port …)."""
    path = folder / "registry.db"
    path.write_bytes(_empty_database())
    system = Hands()
    db = open_database(f"sqlite:///{path}", clock=system)
    store = SqliteStore(folder / "series.db")

    async def begin() -> None:
        await store.open()
        if sown:
            await _sow(db, store)

    asyncio.run(begin())

    async def ready() -> dict[str, str]:
        return {}

    parts: dict[str, Any] = dict.fromkeys(("registry", "states", "forecasts", "records", "alerts", "people", "dead_letters", "enrolment", "identities"), db)
    parts |= {
        "store": store,
        "clock": Hands(),
        "system": system,
        "speed": lambda: 1.0,
        "risk": Risk,
        "crops": lambda: CROPS,
        "ready": ready,
        "secret": b"test" * 8,
        "version": "0.0",
    }
    return Backend(**(parts | changed))


class Rig:
    """The app on a backend, and a browser: requests without sockets, in one loop of its own. Close it."""

    def __init__(self, backend: Backend, *, address: str = "192.0.2.7") -> None:
        self.backend = backend
        self.app: FastAPI = create_app(backend)
        self.clock: Hands = backend.clock  # type: ignore[assignment]  # make_backend put it there
        self.system: Hands = backend.system  # type: ignore[assignment]  # make_backend put it there
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=self.app, client=(address, 40_000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://canhman.test")

    def run(self, work: Callable[[], Any]) -> Any:
        """Await `work()` in the app's loop."""

        async def inner() -> Any:
            return await work()

        return self._runner.run(inner())

    def cookie(self, name: str) -> str:
        """A session of this person, without logging in."""
        person = self.run(lambda: self.backend.people.person(name))
        return str(self.app.state.sessions.sign(person))

    def request(self, method: str, path: str, *, as_: str = "", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """One request; `as_` a person whose session it carries, with the header a program sends."""
        extra = {"Cookie": f"{COOKIE}={self.cookie(as_)}", "X-Requested-With": "test"} if as_ else {}
        response: httpx.Response = self.run(lambda: self.client.request(method, path, headers=extra | (headers or {}), **more))
        return response

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **more)

    def close(self) -> None:
        """Close client, loop and files."""
        self._runner.run(self.client.aclose())
        self._runner.run(self.backend.store.close())
        self._runner.close()
        if isinstance(self.backend.registry, SqlDatabase):
            self.backend.registry.close()


def make_rig(folder: Path, *, sown: bool = True, **changed: Any) -> Rig:
    """`make_backend` with its app and browser."""
    return Rig(make_backend(folder, sown=sown, **changed))


def with_parts(backend: Backend, **changed: Any) -> Backend:
    """The same backend with other parts."""
    return dataclasses.replace(backend, **changed)
