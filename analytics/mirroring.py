"""Forecasts into the store's mirror for Grafana, behind a cursor of its own: a store that was away gets what it missed.

What a board shows is what stands. Where an issue is taken back, bears a time that our clock had wrongly, says nothing of a time its forerunner spoke of,
or grows too old to be told of (`core.told`), its rows are marked; nothing is deleted. All of it is known from the database, so a start anew marks again
what it must, and the same mark twice is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core.board import LATEST, TakenBack, forecast_rows
from core.clock import AHEAD_MS, Clock
from core.forecast import HOUR_MS, TARGETS, Forecast
from core.ports import Cursors, Forecasts, Mirror
from core.risk import Risk
from core.told import is_told

CURSOR = "mirror.forecast"
AT_ONCE = 200  # issues: some 15,000 lines
OVERTAKEN = 1000  # issues of one point by a clock that was ahead: of hours, six weeks of it
SPAN_MS = {"hour": HOUR_MS}  # of an interval; of every other target a day

Key = tuple[str, str, str]  # station, point, target
Said = tuple[str, int]  # the tag `lead` and the start of the interval [ms]: which row


class Database(Forecasts, Cursors, Protocol):
    """What mirroring asks of the database."""


@dataclass(frozen=True, slots=True)
class _Issue:
    """The newest issue of a key, as far as a board must know it; `shown`: rows of it may stand as told."""

    issue: Forecast  # without its numbers
    shown: bool

    @classmethod
    def of(cls, f: Forecast) -> _Issue:
        return cls(replace(f, quantiles=(), p_gt=(), reasons=(), missing=(), inputs=""), bool(f.leads))


class Mirroring:
    """Goes on from where it stood; `max_age_h` of an issue may be set anew. Hindcasts are passed over: nobody was told of them."""

    def __init__(self, database: Database, mirror: Mirror, clock: Clock, *, max_age_h: float = Risk().forecast_max_age_h) -> None:
        self.max_age_h = max_age_h
        self._db = database
        self._mirror = mirror
        self._clock = clock
        self._cursor: int | None = None
        self._issues: dict[Key, _Issue] = {}
        self._refused = ""

    @property
    def refused(self) -> str:
        """What the store did not take at the last time there was something to send, in words; empty where it took all."""
        return self._refused

    async def run(self) -> int:
        """Mirror all that is new, and mark what stands no more; returns how many issues were taken.

        Raises what database and store raise; what had no answer comes again. What the store will never take is told in `refused` and not sent again: it
        keeps nothing that comes later from being mirrored.
        """
        cursor = await self._start() if self._cursor is None else self._cursor
        done = 0
        while new := await self._db.forecasts_after(cursor, limit=AT_ONCE):
            issues: dict[Key, _Issue] = {}
            rows: list[Forecast | TakenBack] = []
            for f in new:
                if not f.hindcast:
                    rows += await self._came(f, issues)
            done += await self._send(rows)
            cursor = new[-1].id
            await self._db.save_cursor(CURSOR, cursor)
            self._cursor = cursor
            self._issues |= issues
        return done + await self._turn()

    async def _start(self) -> int:
        """The newest issues as the cursor left them. Whether all their rows were marked before our start nobody knows: it is done again."""
        cursor = await self._db.load_cursor(CURSOR)
        rows: list[Forecast | TakenBack] = []
        for target in TARGETS:
            for f in await self._db.latest_forecasts(target=target):
                if f.id <= cursor:
                    self._issues[_key(f)] = _Issue.of(f)
                    if not f.leads:
                        rows += [mark for g in await self._before(f) for mark in _left(g, f)]
        if rows:
            await self._send(rows)
        self._cursor = cursor
        return cursor

    async def _came(self, f: Forecast, issues: dict[Key, _Issue]) -> list[Forecast | TakenBack]:
        """What to send of the next issue: marks at what it leaves of those before it, then itself. `issues`: the newest of those that came in this batch."""
        key = _key(f)
        known = issues.get(key, self._issues.get(key))
        stood = [known.issue] if known is not None and known.issue.issued_at <= f.issued_at else await self._before(f)
        issues[key] = _Issue.of(f)
        return [*(mark for g in stood for mark in _left(g, f)), *([f] if f.leads else [])]

    async def _before(self, f: Forecast) -> list[Forecast]:
        """The issue before this one, and those that bear a later time (or the same) and came before it: our clock was ahead then."""
        newest = await self._db.latest_forecasts(station=f.station, target=f.target, until=f.issued_at - 1)
        later = await self._db.forecasts(station=f.station, point=f.point, target=f.target, since=f.issued_at, limit=OVERTAKEN)
        return [g for g in (*newest, *later) if g.point == f.point and g.id < f.id and not g.hindcast]

    async def _turn(self) -> int:
        """What time itself changes: an issue grows too old, or bears a time that has not come, for our clock was set back; or may be told of again."""
        now, done = self._clock.now_ms(), 0
        turned = [(key, known) for key, known in self._issues.items() if known.shown is not is_told(known.issue, now, self.max_age_h)]
        for key, known in turned:
            f = known.issue
            found = await self._db.latest_forecasts(target=f.target, station=f.station, until=now + AHEAD_MS)
            stands = next((g for g in found if g.point == f.point and is_told(g, now, self.max_age_h)), None)
            if f.issued_at > now + AHEAD_MS:
                ahead = await self._db.forecasts(station=f.station, point=f.point, target=f.target, since=now + AHEAD_MS + 1, limit=OVERTAKEN)
                marks = [mark for g in ahead if not g.hindcast for mark in _taken_back(g, _rows(g))]
            else:
                marks = _taken_back(f, [row for row in _rows(f) if row[0] == LATEST and row[1] + _span(f) > now])
            done += await self._send([*marks, *([stands] if stands is not None else [])])
            self._issues[key] = replace(known, shown=False) if stands is None else _Issue.of(stands)
        return done

    async def _send(self, rows: Sequence[Forecast | TakenBack]) -> int:
        """Returns how many issues were taken."""
        lost = await self._mirror.mirror_forecasts(rows) if rows else []
        self._refused = ""
        if lost:
            first = rows[lost[0].row]
            self._refused = f"the {first.target} of {first.station}/{first.point} cannot be shown: {lost[0].text}"
        refused = {row.row for row in lost}
        return sum(isinstance(row, Forecast) and n not in refused for n, row in enumerate(rows))


def _left(before: Forecast, f: Forecast) -> list[TakenBack]:
    """Of an issue what the one that came after it leaves: all where that takes it back, or shows that our clock was ahead; else of the time it speaks of."""
    said = set(_rows(f)) if before.org == f.org else set()
    if f.leads and before.issued_at <= f.issued_at:
        return _taken_back(before, [row for row in _rows(before) if row[0] == LATEST and row[1] >= f.times[0] and row not in said])
    return _taken_back(before, [row for row in _rows(before) if row not in said])


def _taken_back(f: Forecast, rows: Iterable[Said]) -> list[TakenBack]:
    """Rows of an issue; none of no rows."""
    marked = tuple(rows)
    return [TakenBack(org=f.org, station=f.station, point=f.point, target=f.target, rows=marked)] if marked else []


def _rows(f: Forecast) -> Iterable[Said]:
    return forecast_rows(f.target, f.leads, f.times)


def _span(f: Forecast) -> int:
    return SPAN_MS.get(f.target, 24 * HOUR_MS)


def _key(f: Forecast) -> Key:
    return f.station, f.point, f.target
