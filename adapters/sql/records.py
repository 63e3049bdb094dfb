"""`forecast_score` and `forecast_day`: sums of scores, and days as said and as they came. New ones are added, or take the place of those of some months,
in one transaction with how far they reach and what they rest on (`forecast_basis`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, select

from adapters.sql import cursors
from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, incoming, others, upsert
from core.record import COUNTS, KEY, SUMS, Anew, Basis, Day, Score

_T = t.forecast_score
_DAY = t.forecast_day
_DAY_KEY = ("station", "point", "target", "time")
_BASIS = t.forecast_basis
_BASIS_KEY = ("station", "point")
_ANEW = "record-anew"  # the cursor that counts how often something was scored anew


def add(
    c: Connection,
    scores: Sequence[Score],
    days: Sequence[Day],
    *,
    name: str,
    was: int,
    value: int,
    anew: Anew | None,
    bases: Mapping[tuple[str, str], Sequence[Basis]],
) -> bool:
    """Add these and move cursor `name` from `was` to `value`; False, and nothing changed, where it stands elsewhere."""
    if not cursors.move(c, name, was, value):
        return False
    if anew is not None:
        c.execute(delete(_T).where(_T.c.station == anew.station, _T.c.point == anew.point, _T.c.month >= anew.month))
        c.execute(delete(_DAY).where(_DAY.c.station == anew.station, _DAY.c.point == anew.point, _DAY.c.time >= anew.time))
        cursors.save(c, _ANEW, cursors.load(c, _ANEW) + 1)
    upsert(c, _T, [asdict(s) for s in scores], key=KEY, update={column: _T.c[column] + incoming(_T)[column] for column in SUMS})
    upsert(c, _DAY, [asdict(d) | {"said": list(d.said)} for d in days], key=_DAY_KEY)
    rows = [{"station": station, "point": point, "days": [_short(b) for b in its]} for (station, point), its in bases.items()]
    upsert(c, _BASIS, rows, key=_BASIS_KEY, update=others(_BASIS, _BASIS_KEY))
    return True


def bases(c: Connection, *, station: str, point: str) -> list[Basis]:
    """What the scores of that point's newest days rest on, by time."""
    kept = c.execute(select(_BASIS.c.days).where(_BASIS.c.station == station, _BASIS.c.point == point)).scalar_one_or_none() or []
    return [Basis(time=time, digest=digest, targets=tuple(targets), limits=tuple(map(float, limits))) for time, digest, targets, limits in kept]


def anews(c: Connection) -> int:
    """How often something was scored anew."""
    return cursors.load(c, _ANEW)


def _short(b: Basis) -> list[object]:
    return [int(b.time), b.digest, list(b.targets), list(b.limits)]


def scores(
    c: Connection, *, stations: Sequence[str], target: str, leads: Sequence[int], since: int, lines: Sequence[float], over: Sequence[str]
) -> list[Score]:
    """The sums over all months from `since` on, and over the keys in `over`, of these stations and one target (of these leads and lines; none = all)."""
    key = [_T.c[name] for name in KEY if name != "month" and name not in over]
    query = select(*key, *(func.sum(_T.c[name]).label(name) for name in SUMS)).where(_T.c.target == target).group_by(*key).order_by(*key)
    if leads:
        query = query.where(_T.c.lead.in_(list(leads)))
    if lines:
        query = query.where(_T.c.line.in_(list(lines)))
    if since:
        query = query.where(_T.c.month >= since)
    found = [row for chunk in in_chunks(sorted(set(stations))) for row in c.execute(query.where(_T.c.station.in_(chunk)))]
    gone: dict[str, Any] = {"month": 0} | {name: 0 if name == "bin" else "" for name in over}
    # PostgreSQL sums whole numbers into a decimal
    return [Score(**{**row._mapping, **{name: int(row._mapping[name]) for name in COUNTS}, **gone}) for row in found]


def days(c: Connection, *, stations: Sequence[str], target: str, since: int, until: int | None) -> list[Day]:
    """Days of these stations and one target with since ≤ time < until, sorted by station, point and time."""
    query = select(_DAY).where(_DAY.c.target == target, _DAY.c.time >= since).order_by(_DAY.c.station, _DAY.c.point, _DAY.c.time)
    if until is not None:
        query = query.where(_DAY.c.time < until)
    found = [row for chunk in in_chunks(sorted(set(stations))) for row in c.execute(query.where(_DAY.c.station.in_(chunk)))]
    return [Day(**{**row._mapping, "said": tuple(map(float, row.said))}) for row in found]
