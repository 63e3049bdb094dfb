"""`forecast_score`: sums of scores. New ones are added to what is there, in one transaction with how far they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, func, select

from adapters.sql import cursors
from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, incoming, upsert
from core.record import COUNTS, KEY, SUMS, Score

_T = t.forecast_score


def add(c: Connection, scores: Sequence[Score], *, name: str, was: int, value: int) -> bool:
    """Add these and move cursor `name` from `was` to `value`; False, and nothing changed, where it stands elsewhere."""
    if cursors.load(c, name) != was:
        return False
    upsert(c, _T, [asdict(s) for s in scores], key=KEY, update={column: _T.c[column] + incoming(_T)[column] for column in SUMS})
    cursors.save(c, name, value)
    return True


def scores(c: Connection, *, stations: Sequence[str], target: str, leads: Sequence[int]) -> list[Score]:
    """The sums over all months of these stations and one target (of these leads, none = all), sorted by key."""
    key = [_T.c[name] for name in KEY if name != "month"]
    query = select(*key, *(func.sum(_T.c[name]).label(name) for name in SUMS)).where(_T.c.target == target).group_by(*key).order_by(*key)
    if leads:
        query = query.where(_T.c.lead.in_(list(leads)))
    found = [row for chunk in in_chunks(sorted(set(stations))) for row in c.execute(query.where(_T.c.station.in_(chunk)))]
    # PostgreSQL sums whole numbers into a decimal
    return [Score(**{**row._mapping, **{name: int(row._mapping[name]) for name in COUNTS}}, month=0) for row in found]
