"""`forecast_score` and `forecast_day`: sums of scores, and days as said and as they came. New ones are added in one transaction with how far they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, func, select

from adapters.sql import cursors
from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, incoming, upsert
from core.record import COUNTS, KEY, SUMS, Day, Score

_T = t.forecast_score
_DAY = t.forecast_day
_DAY_KEY = ("station", "point", "target", "time")


def add(c: Connection, scores: Sequence[Score], days: Sequence[Day], *, name: str, was: int, value: int) -> bool:
    """Add these and move cursor `name` from `was` to `value`; False, and nothing changed, where it stands elsewhere."""
    if cursors.load(c, name) != was:
        return False
    upsert(c, _T, [asdict(s) for s in scores], key=KEY, update={column: _T.c[column] + incoming(_T)[column] for column in SUMS})
    upsert(c, _DAY, [asdict(d) | {"said": list(d.said)} for d in days], key=_DAY_KEY)
    cursors.save(c, name, value)
    return True


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
