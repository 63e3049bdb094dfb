"""What is known of every station now: registry, newest readings and newest forecasts put together. Pure; a view of one moment.

Pages, API, terminal and alerts all ask here, and the verdict they get is that of `core.verdict.verdict`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from core import verdict as rule
from core.clock import AHEAD_MS
from core.flags import Flag
from core.forecast import Forecast
from core.outlook import Outlook, outlook
from core.place import MAIN
from core.risk import Risk
from core.series import SeriesKey
from core.sluice import INSIDE, OUTSIDE, Sluice, sluice
from core.state import Latest, SeriesState
from core.told import is_refuted, is_told, told_until
from core.verdict import Verdict, WaterState
from core.window import Windows, windows
from registry.directory import Directory
from registry.items import DEVICE_POINT

SALINITY = "water.salinity"
CONDUCTIVITIES = ("water.ec", "water.ec_raw")  # what salinity is worked out from
TELLING = (*CONDUCTIVITIES, "water.chloride")  # what says by itself how much salt there is at the least
BAD = (Flag.SUSPECT, Flag.FAIL)
JUDGED_BY = frozenset((SALINITY, *TELLING))  # the states without which a verdict is not the one that pages give


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A series as people see it: (station, point, quantity), over all its primary sensors.

    `sensor` of `org` sent the newest reading, at `received` [ms]; `interval_s` is its interval, None while nobody knows.
    """

    org: str
    station: str
    point: str
    quantity: str
    sensor: str
    newest: Latest
    judged: Latest | None
    good: Latest | None
    received: int
    interval_s: float | None

    @property
    def flag(self) -> int:
        """The newest reading's flag; 2 (not evaluated) until it is judged, unless ingest already found it bad."""
        judged = self.judged is not None and self.judged.time >= self.newest.time
        return self.newest.flag if judged or self.newest.flag in BAD else Flag.NOT_EVALUATED

    def is_fresh(self, now: int, risk: Risk) -> bool:
        """Whether the newest reading is no older than its `stale_after`, and not from the future."""
        return -AHEAD_MS <= now - self.newest.time <= risk.stale_after_ms(self.interval_s or risk.interval_s)


class Situation:
    """Look-ups over one moment. `forecasts` are the newest of target `hour`."""

    def __init__(self, directory: Directory, states: Iterable[SeriesState], forecasts: Iterable[Forecast], risk: Risk) -> None:
        self.directory = directory
        self.risk = risk
        self.changed = 0
        self._readings: dict[tuple[str, str, str], Reading] = {}
        self._checks: defaultdict[tuple[str, str], list[Latest]] = defaultdict(list)  # of salinity, the last word of each check probe at a point
        self._at: defaultdict[str, list[Reading]] = defaultdict(list)  # by station
        self._points: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._forecasts = {(f.station, f.point): f for f in forecasts}
        groups: defaultdict[tuple[str, str, str], list[SeriesState]] = defaultdict(list)
        for state in states:
            self.changed = max(self.changed, state.changed)
            self._points[state.key.station][state.key.point] = None
            here = self._standing(state)
            if here is not None and state.key.quantity == SALINITY:
                self._check(here)
            here = None if here is None else self._here(here)
            if here is not None:
                groups[state.key.station, state.key.point, state.key.quantity].append(here)
        for place, members in groups.items():
            self._readings[place] = found = self._reading(members)
            self._at[found.station].append(found)

    def reading(self, station: str, point: str, quantity: str) -> Reading | None:
        """The newest of one series; None where nothing was ever stored."""
        return self._readings.get((station, point, quantity))

    def readings(self, station: str) -> list[Reading]:
        """Every series of a station, by point and quantity."""
        return sorted(self._at.get(station, ()), key=lambda r: (r.point, r.quantity))

    def everywhere(self, quantity: str) -> list[Reading]:
        """Every series of a quantity, by station and point."""
        return sorted((r for r in self._readings.values() if r.quantity == quantity), key=lambda r: (r.station, r.point))

    def points(self, station: str) -> list[str]:
        """Every point of a station with a stored series, sorted."""
        return sorted(self._points.get(station, ()))

    def verdict_point(self, station: str) -> str | None:
        """Where the station's verdict is read: as registered; else `main`, else `in`, where salinity was stored; else None."""
        known = self.directory.station(station)
        if known is not None and known.verdict_point:
            return known.verdict_point
        return next((p for p in (MAIN, "in") if (station, p, SALINITY) in self._readings), None)

    def water(self, station: str, point: str) -> WaterState:
        """The salinity at a point, as the verdict wants it."""
        found = self._readings.get((station, point, SALINITY))
        if found is None:
            return WaterState()
        bad = self._bad_since(found)
        apart = (self._sent_apart(found, quantity) for quantity in TELLING)
        others = (*self._checks.get((station, point), ()), *(said for said in apart if said is not None))
        return WaterState(newest=bad or found.newest, judged=found.judged, interval_s=found.interval_s, failing=bad is not None, others=others)

    def is_sound(self, salinity: Reading, now: int) -> bool:
        """Whether this reading may be shown in its colour at `now` [ms]: good, fresh, and no worse word of its probe since."""
        return salinity.flag == Flag.GOOD and salinity.is_fresh(now, self.risk) and self._bad_since(salinity) is None

    def _bad_since(self, salinity: Reading) -> Latest | None:
        """A suspect or failing conductivity that came after it: a probe may read what has no salinity, and the last one that had is no word on the water."""
        measured = (self._readings.get((salinity.station, salinity.point, quantity)) for quantity in CONDUCTIVITIES)
        bad = [r for r in measured if r is not None and r.newest.time > salinity.newest.time and r.flag in BAD]
        return max((Latest(time=r.newest.time, value=math.nan, flag=r.flag) for r in bad), key=lambda r: (r.flag, r.time), default=None)

    def _sent_apart(self, salinity: Reading, quantity: str) -> Latest | None:
        """What the newest of `quantity` is in salinity at the least, where that was sent apart: of one time the two agree, or are suspect.

        One that fails, or is more than an interval older, is no word on this water.
        """
        measured = self._readings.get((salinity.station, salinity.point, quantity))
        if measured is None or measured.flag == Flag.FAIL or measured.newest.time == salinity.newest.time:
            return None
        if measured.newest.time < salinity.newest.time - 1000 * (salinity.interval_s or self.risk.interval_s):
            return None
        from core.agreement import least_salinity  # seldom asked for, and it brings gsw

        value = least_salinity(quantity, measured.newest.value)
        return replace(measured.newest, value=value) if math.isfinite(value) else None

    def forecast(self, station: str, point: str) -> Forecast | None:
        """The newest forecast of the coming hours there."""
        return self._forecasts.get((station, point))

    def believes(self, issue: Forecast, now: int) -> bool:
        """Whether anything may be told of an issue of hours or days at `now` [ms]: as long as the verdict uses one (`core.told`)."""
        return is_told(issue, now, self.risk.forecast_max_age_h)

    def told_until(self, issue: Forecast) -> int:
        """The last instant [ms] at which it may be."""
        return told_until(issue.issued_at, self.risk.forecast_max_age_h)

    def source_of(self, station: str) -> str:
        """The station whose water is judged: a field's intake, else itself."""
        known = self.directory.station(station)
        return known.intake if known is not None and known.intake and self.directory.station(known.intake) else station

    def verdict(self, station: str, now: int, *, limit: float | None = None) -> Verdict:
        """The station's one verdict at `now` [ms] by `limit` [g/L]. Raises ValueError for a limit that is none."""
        of = self.source_of(station)
        return self._judge(of, self.verdict_point(of), now, limit)

    def windows(self, station: str, now: int, *, limit: float | None = None, point: str | None = None) -> Windows:
        """When water may be taken: at a field's intake, at the verdict point where no `point` is named. Raises ValueError for a limit that is none."""
        of = self.source_of(station)
        at = self.verdict_point(of) if point is None else point
        judged = self._judge(of, at, now, limit)
        return windows(self.water(of, at or ""), judged, self._sound(of, at or "", judged.limit), now, risk=self.risk)

    def outlook(self, station: str, v: Verdict, now: int) -> Outlook | None:
        """What may be said of the hours ahead beside `v`, the station's verdict at `now` [ms]; None where nothing may."""
        of = self.source_of(station)
        at = self.verdict_point(of) or ""
        return outlook(self.water(of, at), v, self._sound(of, at, v.limit), now, risk=self.risk)

    def sluice(self, station: str, now: int, *, limit: float | None = None) -> Sluice | None:
        """When a sluice is better open or shut; None where the station does not measure salinity on both sides. Raises ValueError as `verdict`."""
        if any((station, point, SALINITY) not in self._readings for point in (INSIDE, OUTSIDE)):
            return None
        verdicts = self._judge(station, INSIDE, now, limit), self._judge(station, OUTSIDE, now, limit)
        return sluice(verdicts, self.forecast(station, INSIDE), self.forecast(station, OUTSIDE), now)

    def _judge(self, of: str, point: str | None, now: int, limit: float | None) -> Verdict:
        if point is None:
            return rule.verdict(WaterState(), None, limit, now, risk=self.risk)
        issue = self._sound(of, point, self.risk.limit if limit is None else limit)
        return rule.verdict(self.water(of, point), issue, limit, now, risk=self.risk)

    def _sound(self, of: str, point: str, limit: float) -> Forecast | None:
        """The newest forecast of hours there; none where the water as it is measured refutes it."""
        issue, judged = self.forecast(of, point), self.water(of, point).judged
        return None if issue is not None and judged is not None and is_refuted(issue, judged, limit) else issue

    def _check(self, state: SeriesState) -> None:
        """Keep the last word of a check probe, of the place it stood at then: one that fails takes back nothing of what was good before."""
        device, _, channel = state.key.sensor.partition("/")
        known = bool(self.directory.deployments_of(device))
        for said in (state.newest, state.good):
            if said is None or said.flag == Flag.FAIL:
                continue
            if self._speaks(state.key, device, channel or MAIN, said.time, role="check") if known else state.role == "check":
                self._checks[state.key.station, state.key.point].append(said)
                return

    def _here(self, state: SeriesState) -> SeriesState | None:
        """The state without what its sensor measured while it stood elsewhere or as a check, as the registry has it now; None where nothing is left.

        A deployment may be corrected afterwards: what was stored here stays here, but it no longer speaks for this place.
        """
        device, _, channel = state.key.sensor.partition("/")
        if not self.directory.deployments_of(device):
            return state if state.role == "primary" else None

        def mine(reading: Latest | None) -> Latest | None:
            return reading if reading is not None and self._speaks(state.key, device, channel or MAIN, reading.time) else None

        newest, judged, good = mine(state.newest), mine(state.judged), mine(state.good)
        last = newest or judged or good
        return None if last is None else replace(state, newest=last, judged=judged, good=good)

    @staticmethod
    def _standing(state: SeriesState) -> SeriesState | None:
        """The state without a newest reading that was withdrawn: it makes nothing fresh. None where all were.

        Until the judge has passed nobody knows what is newest then, and nothing is judged.
        """
        if state.newest.flag != Flag.MISSING:
            return state
        judged = None if state.dirty_from is not None or state.judged is None or state.judged.flag == Flag.MISSING else state.judged
        last = judged or state.good
        return None if last is None else replace(state, newest=last, judged=judged)

    def _speaks(self, key: SeriesKey, device: str, channel: str, time: int, *, role: str = "primary") -> bool:
        if key.point == DEVICE_POINT:
            whole = self.directory.device_deployment(device, time)
            return whole is not None and whole.station == key.station
        standing = self.directory.deployment(device, channel, time)
        return standing is not None and (standing.station, standing.point, standing.role) == (key.station, key.point, role)

    def _reading(self, members: list[SeriesState]) -> Reading:
        """One series over its sensors: the newest stored, judged and good of any of them; the sensor of the newest."""
        last = max(members, key=lambda s: s.newest.time)
        device, _, channel = last.key.sensor.partition("/")
        standing = self.directory.deployment(device, channel or MAIN, last.newest.time)
        interval = standing.interval_s if standing is not None else None
        if interval is None and last.interval_ms is not None:
            interval = last.interval_ms / 1000
        return Reading(
            org=last.key.org,
            station=last.key.station,
            point=last.key.point,
            quantity=last.key.quantity,
            sensor=last.key.sensor,
            newest=last.newest,
            judged=max((s.judged for s in members if s.judged is not None), key=lambda r: r.time, default=None),
            good=max((s.good for s in members if s.good is not None), key=lambda r: r.time, default=None),
            received=last.received,
            interval_s=interval,
        )
