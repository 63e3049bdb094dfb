"""A point with its readings and issues, judged by the policy over a real database: what the alerts' tests stand on."""

from __future__ import annotations

import asyncio
import bisect
import math
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from adapters.sql import SqlDatabase, open_database
from alerts.config import AlertRules, parse_alerts
from alerts.policy import Facts, step
from core.alert import Alert, AlertEvent, AlertKey, Step
from core.bands import LINES
from core.flags import Flag
from core.forecast import QUANTILES, Forecast
from core.risk import Risk
from core.state import Latest

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


def an_issue(issued_at: int, hours: dict[int, tuple[float, float]], *, id: int = 0, station: str = "kl") -> Forecast:
    """An `hour` issue: lead → (median [g/L], P(S > any line))."""
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
