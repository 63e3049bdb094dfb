"""`forecast_issue`: forecasts as issued, append-only.

Numbers are kept to 5 significant digits, finer than any sensor: rounding keeps quantiles rising and probabilities falling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, and_, select

from adapters.sql import tables as t
from adapters.sql.engine import insert_into, upsert
from adapters.sql.serials import take
from core.bands import LINES
from core.errors import ConflictError
from core.forecast import HINDCAST, HOUR_MS, QUANTILES, REASONS, WITHDRAWN, Forecast, Reason

_T = t.forecast_issue
_KEY = ("station", "point", "target", "model", "version", "issued_at")
_DIGITS = 5
_AHEAD_MS = 60_000  # so far a clock may be set back in passing
# how far before an issue one that came after it is looked for: while issues go on there is one within the hour (of what is silent, six), and one a day
_BEFORE_MS = {"hour": 6 * HOUR_MS, "day_max": 25 * HOUR_MS, "day_min": 25 * HOUR_MS}


def issue(c: Connection, forecasts: Sequence[Forecast]) -> int:
    """Append what is new of these; returns how many. Raises ConflictError for arrays that are no forecast.

    Only one that takes back what was said (`WITHDRAWN`) has no leads.
    """
    if not forecasts:
        return 0
    values = [_values(f) for f in forecasts]
    last = take(c, "forecast", len(values))
    for number, row in enumerate(values, last - len(values) + 1):
        row["id"] = number
    points = {(f.target, f.station, f.point) for f in forecasts}
    upsert(c, t.forecast_point, [dict(zip(("target", "station", "point"), p, strict=True)) for p in sorted(points)], key=("target", "station", "point"))
    added = insert_into(c.dialect.name, _T).on_conflict_do_nothing(index_elements=[_T.c[name] for name in _KEY]).returning(_T.c.id)
    return len(c.execute(added, values).all())


def latest(c: Connection, target: str, station: str | None, until: int | None) -> list[Forecast]:
    """The newest issue per (station, point), sorted by them; of two issued at once the one that came last. No hindcast: it was never said.

    None that bears a later time than one that came after it either, but for a minute: it was made while our clock was ahead, and it is no newer once
    that time has come.
    """
    point, later = t.forecast_point, _T.alias()

    def real(row: FromClause) -> ColumnElement[bool]:
        same = (row.c[name] == point.c[name] for name in ("target", "station", "point"))
        return and_(*same, ~row.c.version.endswith(HINDCAST, autoescape=True))

    came_after = (later.c.id > _T.c.id, later.c.issued_at >= _T.c.issued_at - _BEFORE_MS.get(target, 0), later.c.issued_at < _T.c.issued_at - _AHEAD_MS)
    ahead = select(later.c.id).where(real(later), *came_after).correlate(point, _T).exists()
    newest = select(_T.c.id).where(real(_T), ~ahead).order_by(_T.c.issued_at.desc(), _T.c.id.desc()).limit(1)
    if until is not None:
        newest = newest.where(_T.c.issued_at <= until)
    ids = select(newest.correlate(point).scalar_subquery()).where(point.c.target == target)
    if station is not None:
        ids = ids.where(point.c.station == station)
    found = [_forecast(row) for row in c.execute(select(_T).where(_T.c.id.in_(ids)))]
    return sorted(found, key=lambda f: (f.station, f.point))


def between(c: Connection, *, station: str, point: str, target: str, since: int, until: int | None, limit: int) -> list[Forecast]:
    """Issues with since ≤ issued_at < until, oldest first."""
    query = select(_T).where(_T.c.target == target, _T.c.station == station, _T.c.point == point, _T.c.issued_at >= since)
    if until is not None:
        query = query.where(_T.c.issued_at < until)
    return [_forecast(row) for row in c.execute(query.order_by(_T.c.issued_at, _T.c.id).limit(limit))]


def after(c: Connection, id: int, limit: int) -> list[Forecast]:
    """Issues with a greater id, in rising order."""
    return [_forecast(row) for row in c.execute(select(_T).where(_T.c.id > id).order_by(_T.c.id).limit(limit))]


def _values(f: Forecast) -> dict[str, Any]:
    where = f"forecast of {f.station}/{f.point}, {f.target} by {f.model}"
    n = len(f.leads)
    sizes = {"leads": n, "times": len(f.times), "quantiles": len(f.quantiles), "p_gt": len(f.p_gt)}
    if (n == 0) != f.version.endswith(WITHDRAWN) or len(set(sizes.values())) > 1:
        raise ConflictError(f"{where}: {', '.join(f'{size} {name}' for name, size in sizes.items())}: expected as many of each, and at least 1")
    for name, rows, width in (("quantiles", f.quantiles, len(QUANTILES)), ("p_gt", f.p_gt, len(LINES))):
        for lead, row in zip(f.leads, rows, strict=True):
            if len(row) != width or not all(map(math.isfinite, row)):
                raise ConflictError(f"{where}: {name} of lead {lead} are {tuple(row)}: expected {width} numbers")
            if rows is f.p_gt and not all(0 <= _short(p) <= 1 for p in row):
                raise ConflictError(f"{where}: p_gt of lead {lead} are {tuple(row)}: expected probabilities from 0 to 1")
    for reason in f.reasons:
        if reason.code not in REASONS or not math.isfinite(reason.effect):
            raise ConflictError(f"{where}: {reason} is no reason: expected a code of {', '.join(REASONS)} and a number")
    return {
        **{name: getattr(f, name) for name in ("org", "station", "point", "target", "model", "version", "inputs")},
        "issued_at": int(f.issued_at),
        "data_until": int(f.data_until),
        "leads": [int(lead) for lead in f.leads],
        "times": _steps([int(time) for time in f.times]),
        "quantiles": [[_short(x) for x in row] for row in f.quantiles],
        "p_gt": [[_short(x) for x in row] for row in f.p_gt],
        "reasons": [[r.code, r.name, _short(r.effect), int(r.lead)] for r in f.reasons],
        "missing": list(f.missing),
    }


def _steps(times: list[int]) -> list[int]:
    """[first, step] where all steps are one: what 72 hours are told in; else the times as they are."""
    step = times[1] - times[0] if len(times) > 2 else 0
    return [times[0], step] if step and times == [times[0] + i * step for i in range(len(times))] else times


def _times(stored: list[int], n: int) -> tuple[int, ...]:
    return tuple(stored) if len(stored) == n else tuple(stored[0] + i * stored[1] for i in range(n))


def _short(x: float) -> float | int:
    rounded = float(f"{x:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded  # `1` is shorter than `1.0`


def _forecast(row: Row[Any]) -> Forecast:
    values = dict(row._mapping)
    values["leads"] = tuple(values["leads"])
    values["times"] = _times(values["times"], len(values["leads"]))
    for name in ("quantiles", "p_gt"):
        values[name] = tuple(tuple(map(float, numbers)) for numbers in values[name])
    values["reasons"] = tuple(Reason(code=code, name=name, effect=float(effect), lead=lead) for code, name, effect, lead in values["reasons"] or ())
    values["missing"] = tuple(values["missing"] or ())
    return Forecast(**values)
