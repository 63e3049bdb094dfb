"""What a board may colour, kept true in the store that Grafana reads: `latest` of every point, and the stations. Why: docs/decisions/0018.

Pure but for the port `Mirror`. A row may stand as fresh from the moment it is sent, whatever becomes of the answer, until its
withdrawal was answered; withdrawals are sent before anything new. So a point has at most one fresh row, at every moment.
Whatever else stands of a point, its newest row by time says what is known now: a board asks for it with last().
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from core.board import NO_PUMP, Pump, Shown
from core.ports import Mirror
from core.verdict import holds_until
from core.window import tenths
from registry.directory import Directory
from registry.situation import SALINITY, Reading, Situation

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Point = tuple[str, str]  # station, point
Row = tuple[str, int]  # org and time [ms]: which row of a point


@dataclass(slots=True)
class _Stands:
    """What stands of one point: rows that may be fresh, what was written last and answered, which of it was refused, and the newest time of each org."""

    fresh: dict[Row, Shown] = field(default_factory=dict)
    written: dict[Row, Shown] = field(default_factory=dict)
    refused: dict[Row, str] = field(default_factory=dict)
    top: dict[str, int] = field(default_factory=dict)


class Mirroring:
    """`latest` and `stations` again and again; each sends only what changed. Begun anew it takes back what an earlier process left."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._points: dict[Point, _Stands] = {}
        self._asked: int | None = None  # every fresh row that ends after this [ms] is known
        self._tried = 0  # when refused rows were tried last [ms]
        self._stations: tuple[int, int] | None = None  # the registry's version mirrored last, and when [ms]
        self._pumps: dict[Point, tuple[object, Pump]] = {}  # the next hours to pump, and what they were found from

    @property
    def refused(self) -> str:
        """What of `latest` the store does not take, in words; empty where it takes all."""
        found = [(station, point, text) for (station, point), stands in self._points.items() for text in stands.refused.values()]
        if not found:
            return ""
        station, point, text = found[0]
        return f"the newest value of {station}/{point} cannot be shown{f', and {len(found) - 1} more rows' if found[1:] else ''}: {text}"

    async def latest(self, situation: Situation, now: int) -> int:
        """Make `latest` say what `situation` says at `now` [ms]; returns how many rows were sent.

        Raises UnavailableError or RefusedError: then all that failed comes again. A refused row keeps no other from being
        written; it is tried again when something of it changes, and each hour.
        """
        if self._asked is None or now < self._asked:  # a clock set back makes rows of an earlier process current again
            for row in await self._mirror.mirrored_latest(now):
                self._found(row)
            self._asked = now
        if not 0 <= now - self._tried < HOUR_MS:
            for stands in self._points.values():
                stands.written = {key: row for key, row in stands.written.items() if key not in stands.refused}
            self._tried = now
        wanted = {(r.station, r.point): self._wanted(situation, r, now) for r in situation.everywhere(SALINITY)}
        for point in self._points.keys() - wanted.keys():  # its sensor stood elsewhere, as the registry has it now
            wanted[point] = [replace(row, fresh=False, pump=NO_PUMP) for row in self._points[point].fresh.values()]
        rows = [row for point, want in wanted.items() for row in want if not self._is_written(point, row)]
        if rows:
            self._sending(rows)
            for refused in await self._mirror.mirror_latest(rows):
                row = rows[refused.row]
                self._stands(row).refused[row.org, row.time] = refused.text
        for point, want in wanted.items():
            self._answered(point, want, now)
        return len(rows)

    def _wanted(self, situation: Situation, reading: Reading, now: int) -> list[Shown]:
        """The rows a point should have: first those to withdraw, then as its newest one that says how it is now, last the fresh one."""
        until = holds_until(situation.water(reading.station, reading.point), now, risk=situation.risk)
        row = _row(situation, reading, until, NO_PUMP if until is None else self._pump(situation, reading, now, until))
        stands = self._points.get((reading.station, reading.point), _Stands())
        wanted = [replace(row, org=org, time=time, fresh=False, pump=NO_PUMP) for org, time in stands.fresh if (org, time) != (row.org, until)]
        if until is None:
            row = replace(row, time=max(row.time, stands.top.get(row.org, row.time)))
        for org, top in stands.top.items():
            if top >= row.time and (org, top) != (row.org, row.time) and (org, top) not in stands.fresh:
                wanted.append(replace(row, org=org, time=top, fresh=False, pump=NO_PUMP))
        if until is not None or (row.org, row.time) not in stands.fresh:
            wanted.append(row)
        return wanted

    def _pump(self, situation: Situation, reading: Reading, now: int, until: int) -> Pump:
        """Found anew where the water, its forecast, the numbers or the hour are others: each second would be too often for a thousand points."""
        place = (reading.station, reading.point)
        water, issue = situation.water(*place), situation.forecast(*place)
        found_from = (water, None if issue is None else (issue.id, issue.issued_at), situation.risk, now // HOUR_MS)
        known = self._pumps.get(place)
        if known is None or known[0] != found_from:
            known = self._pumps[place] = (found_from, _next_pump(situation, reading, now, until))
        return known[1]

    def _is_written(self, point: Point, row: Shown) -> bool:
        stands = self._points.get(point)
        return stands is not None and stands.written.get((row.org, row.time)) == row

    def _found(self, row: Shown) -> None:
        """It stands there."""
        stands = self._stands(row)
        stands.top[row.org] = max(row.time, stands.top.get(row.org, row.time))
        if row.fresh:
            stands.fresh.setdefault((row.org, row.time), row)

    def _sending(self, rows: list[Shown]) -> None:
        """From now on each of them may stand there, or what it replaces."""
        for row in rows:
            stands, key = self._stands(row), (row.org, row.time)
            stands.written.pop(key, None)
            stands.refused.pop(key, None)
            stands.top[row.org] = max(row.time, stands.top.get(row.org, row.time))
            if row.fresh:
                stands.fresh[key] = row

    def _answered(self, point: Point, wanted: list[Shown], now: int) -> None:
        """All of it stands there but what was refused, and nothing else is fresh; where a refusal leaves it open, until the row is past."""
        stands = self._points[point]
        stands.written = {(row.org, row.time): row for row in wanted}
        stands.refused = {key: text for key, text in stands.refused.items() if key in stands.written}
        unsure = {key: row for key, row in stands.fresh.items() if key in stands.refused and row.time > now}
        stands.fresh = unsure | {key: row for key, row in stands.written.items() if row.fresh}

    def _stands(self, row: Shown) -> _Stands:
        return self._points.setdefault((row.station, row.point), _Stands())

    async def stations(self, directory: Directory, now: int) -> int:
        """At a start, at each change of the registry, and each day (somebody may have emptied the store): returns how many were written.

        Raises UnavailableError or RefusedError; then it comes again.
        """
        if self._stations is not None and self._stations[0] == directory.version and 0 <= now - self._stations[1] < DAY_MS:
            return 0
        written = await self._mirror.mirror_stations(directory.snapshot.stations, {w.id: w.name for w in directory.snapshot.waterways}, now)
        self._stations = (directory.version, now)
        return written


def _next_pump(situation: Situation, reading: Reading, now: int, until: int) -> Pump:
    """The first window at a point; none where its forecast is too old before the row ends: a board cannot tell how old a forecast is."""
    issue = situation.forecast(reading.station, reading.point)
    if issue is None or until > situation.told_until(issue) or situation.source_of(reading.station) != reading.station:
        return NO_PUMP
    found = situation.windows(reading.station, now, point=reading.point)
    if not found.windows:
        return NO_PUMP
    first = found.windows[0]
    return Pump(start=first.start, end=first.end, of_ten=tenths(first.p), limit=found.verdict.limit)


def _row(situation: Situation, reading: Reading, until: int | None, pump: Pump) -> Shown:
    """How the point is now: fresh until then, else where its newest reading stands."""
    station = situation.directory.station(reading.station)
    value = None if reading.judged is None else reading.judged.value
    return Shown(
        org=reading.org,
        station=reading.station,
        point=reading.point,
        time=reading.newest.time if until is None else until,
        fresh=until is not None,
        seen=reading.newest.time,
        flag=reading.flag,
        salinity=value if value is not None and math.isfinite(value) else None,
        is_verdict_point=situation.verdict_point(reading.station) == reading.point,
        name=reading.station if station is None else station.name,
        waterway="" if station is None else station.waterway,
        pump=pump,
    )
