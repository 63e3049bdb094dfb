"""A point with its readings and issues, judged by the policy over a real database: what the alerts' tests stand on."""

from __future__ import annotations

import asyncio
import bisect
import math
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from adapters.memory_store import MemoryStore
from adapters.sql import SqlDatabase, open_database
from alerts.config import AlertRules, parse_alerts
from alerts.policy import Facts, step
from alerts.watch import Looked, Watch
from core.alert import Alert, AlertEvent, AlertKey, Intent, Step
from core.bands import LINES
from core.batch import Batch
from core.flags import Flag
from core.forecast import QUANTILES, Forecast
from core.place import Deployment, Device, Org, Station
from core.ports import SeriesStore
from core.risk import Risk
from core.series import SeriesKey
from core.state import Latest, SeriesState

T = TypeVar("T")
MIN = 60_000
HOUR = 60 * MIN
DAY = 24 * HOUR
START = 1_772_420_400_000  # 2026-03-02T03:00:00Z
RULES = parse_alerts({})
RISK = Risk()
POINT = ("kl", "main")


def keys(rules: AlertRules = RULES) -> list[AlertKey]:
    """Every key of the point."""
    lines = [AlertKey(*POINT, kind, line) for kind in ("observed", "forecast") for line in rules.lines]
    return [*lines, AlertKey(*POINT, "silent", None), AlertKey(*POINT, "fault", None)]


def an_issue(issued_at: int, given: dict[int, tuple[float, float]], *, id: int = 0, station: str = "kl", last: int = 72) -> Forecast:
    """An `hour` issue: lead → (median [g/L], P(S > any line)); calm (0.1 g/L, P = 0) at the leads up to `last` that are not given."""
    hours = dict.fromkeys(range(1, last + 1), (0.1, 0.0)) | given
    leads = tuple(sorted(hours))
    return Forecast(
        id=id,
        org="o",
        station=station,
        point="main",
        target="hour",
        model="persistence",
        version="1",
        issued_at=issued_at,
        data_until=issued_at,
        inputs="x",
        leads=leads,
        times=tuple(issued_at // HOUR * HOUR + lead * HOUR for lead in leads),
        quantiles=tuple(tuple(hours[lead][0] * (0.8 + 0.4 * q) for q in QUANTILES) for lead in leads),
        p_gt=tuple(tuple(hours[lead][1] for _ in LINES) for lead in leads),
    )


class World:
    """Readings of one point by time, its newest issue, a clock; alerts live in the database and nowhere else."""

    def __init__(self, path: Path, *, interval_s: float = 900.0, rules: AlertRules = RULES) -> None:
        self.path = path
        self.interval_s = interval_s
        self.rules = rules
        self.now = START
        self.readings: dict[int, Latest] = {}
        self.issue: Forecast | None = None
        self.stands = True
        self.db = open_database(f"sqlite:///{path}")

    @classmethod
    def of(cls, prepared: Path, folder: Path, *, interval_s: float = 900.0, rules: AlertRules = RULES) -> World:
        """In a fresh copy of a migrated database."""
        shutil.copy(prepared, folder / "registry.db")
        return cls(folder / "registry.db", interval_s=interval_s, rules=rules)

    def run(self, call: Callable[[SqlDatabase], Awaitable[T]]) -> T:
        """One call to the database."""

        async def one() -> T:
            return await call(self.db)

        return asyncio.run(one())

    def restart(self) -> None:
        """As after kill -9: only the file is left."""
        self.db.close()
        self.db = open_database(f"sqlite:///{self.path}")

    @property
    def stale_after(self) -> int:
        return RISK.stale_after_ms(self.interval_s)

    def read(self, value: float, *, age: int = 0, flag: int = Flag.GOOD) -> None:
        """A judged reading of `age` [ms]."""
        self.readings[self.now - age] = Latest(time=self.now - age, value=value, flag=flag)

    @property
    def newest(self) -> Latest | None:
        return self.readings[max(self.readings)] if self.readings else None

    def facts(self) -> Facts:
        """What the policy is told."""
        times = sorted(self.readings)
        first = bisect.bisect_left(times, self.now - 2 * self.stale_after - HOUR)
        judged = tuple(self.readings[t] for t in times[first:])
        return Facts(org="o", newest=self.newest, interval_s=self.interval_s, judged=judged, forecast=self.issue, stands=self.stands)

    def live(self) -> list[Alert]:
        """Alerts not cleared."""
        return [a for a in self.run(lambda db: db.live_alerts(cleared_since=1 << 60)) if a.state != "cleared"]

    def open(self, kind: str, line: float | None = None) -> Alert | None:
        """The alert of a key that is not cleared."""
        return next((a for a in self.live() if (a.kind, a.line) == (kind, line)), None)

    def look(self) -> list[Step]:
        """Step every key once; the steps that changed something, with the ids they got."""
        since = math.ceil(self.now - self.rules.reopen_h * HOUR)
        known = self.run(lambda db: db.live_alerts(cleared_since=since))
        steps = []
        for key in keys(self.rules):
            mine = [a for a in known if a.key == key]
            alert = next((a for a in mine if a.state != "cleared"), max(mine, key=lambda a: a.cleared_at or 0, default=None))
            found = step(key, alert, self.facts(), self.now, rules=self.rules, risk=RISK)
            if found is not None:
                steps.append(found)
        taken = self.run(lambda db: db.take_steps(steps))
        return [Step(alert=alert, event=s.event, intents=s.intents) for s, alert in zip(steps, taken, strict=True)]

    def told(self) -> list[tuple[str, float | None, str]]:
        """(kind, line, event) of every event so far, in order."""
        alerts = self.run(lambda db: db.alerts(limit=1000))
        events: list[tuple[AlertEvent, Alert]] = [(e, a) for a in alerts for e in self._events(a.id)]
        return [(a.kind, a.line, e.kind) for e, a in sorted(events, key=lambda pair: pair[0].id)]

    def _events(self, alert: int) -> list[AlertEvent]:
        return self.run(lambda db: db.alert_events(alert))


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def now_ms(self) -> int:
        """Where it stands [ms]."""
        return self.now

    def real_seconds(self, sim_seconds: float) -> float:
        """As the wall's."""
        return sim_seconds


class Rig:
    """Stations with one sensor each, a real database, a store in memory, and a watch over them."""

    def __init__(self, path: Path, *, stations: int = 1, channels: Sequence[str] = ("webhook",), rules: AlertRules = RULES) -> None:
        self.path = path
        self.clock = Hands()
        self.system = Hands()
        self.rules = rules
        self.risk = RISK
        self.channels = tuple(channels)
        self.db = open_database(f"sqlite:///{path}", clock=self.system)
        self.store = MemoryStore()
        self.stations = [f"s{n}" for n in range(stations)]
        items: list[Org | Station | Device | Deployment] = [Org(id="o", name="O")]
        for n, station in enumerate(self.stations):
            items += [Station(id=station, org="o", name=f"Trạm {n}", public=True), Device(id=f"d{n}", org="o")]
            items.append(Deployment(device=f"d{n}", channel="main", station=station, point="main", interval_s=900))
        self.run(lambda: self.db.put(*items, actor="test"))
        self.watch = self.new_watch()

    def new_watch(self, store: SeriesStore | None = None) -> Watch:
        """One that knows nothing yet."""
        return Watch(
            self.db,
            store or self.store,
            clock=self.clock,
            system=self.system,
            rules=lambda: self.rules,
            risk=lambda: self.risk,
            channels=lambda: self.channels,
        )

    def restart(self) -> None:
        """As after kill -9: only database and store are left."""
        self.db.close()
        self.db = open_database(f"sqlite:///{self.path}", clock=self.system)
        self.watch = self.new_watch()

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await one call."""

        async def one() -> T:
            return await call()

        return asyncio.run(one())

    def key(self, n: int) -> SeriesKey:
        """The salinity of the n-th station."""
        return SeriesKey("o", self.stations[n], "main", f"d{n}", "water.salinity")

    def feed(self, *values: float, n: int = 0, end: int | None = None, flag: int = Flag.GOOD, received: int | None = None, judged: bool = True) -> None:
        """Readings every 15 min, the last at `end` (now), stored and judged; one row of state as ingest and judge leave it."""
        last = self.clock.now if end is None else end
        times = [last - 15 * MIN * (len(values) - 1 - i) for i in range(len(values))]
        key = self.key(n)
        batch = Batch.of([0] * len(values), times, list(values), flag=[flag if judged else 2] * len(values))
        self.run(lambda: self.store.write(batch, [key]))
        newest = Latest(time=last, value=values[-1], flag=flag if judged else 2)
        state = SeriesState(
            key=key,
            role="primary",
            newest=newest,
            received=self.clock.now if received is None else received,
            judged=newest if judged else None,
            good=newest if judged and flag == Flag.GOOD else None,
            dirty_from=None if judged else times[0],
            changed=0,
        )
        self.run(lambda: self.db.replace([state]))

    def look(self) -> Looked:
        """One look."""
        return self.run(self.watch.look)

    def live(self) -> list[tuple[str, str, float | None]]:
        """(station, kind, line) of what is not cleared."""
        alerts = self.run(lambda: self.db.live_alerts(cleared_since=1 << 60))
        return sorted(((a.station, a.kind, a.line) for a in alerts if a.state != "cleared"), key=str)

    def intents(self) -> list[Intent]:
        """The outbox, oldest first."""
        return self.run(lambda: self.db.intents(limit=1000))[::-1]
