"""Readings out of InfluxDB: InfluxQL with bound values; names come from the quantity registry and nowhere else.

One statement for each point (a tag set) with the fields of all that is asked of it, many statements in one request: nothing
has to be sorted or told apart afterwards. A statement costs the server some 0.7 ms, whether one field is asked for or four.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.influx_query import InfluxQL, rows_of
from core.batch import Batch
from core.quantities import QUANTITIES
from core.series import SeriesKey

_STATEMENTS = 100  # in one request: its text stays under 50 kB
_MOST_NS = 9_223_372_036_854_775_806  # the last time InfluxDB knows [ns]; the first is its negative
_TAGS = ("org", "station", "point", "sensor")

_Params = dict[str, str | int]
_points = msgspec.json.Decoder(list[tuple[float | int | None, ...]])
_times = msgspec.json.Decoder(list[tuple[int, int]])
T = TypeVar("T")


def read_keys(ask: InfluxQL, keys: Sequence[SeriesKey], start: int, end: int, limit: int | None) -> Batch:
    """Rows of `keys` with start ≤ time < end, sorted by (series, time); at most `limit` of the oldest of each."""
    if start >= end or (limit is not None and limit <= 0):  # LIMIT 0 means no limit there
        return Batch.empty()
    points: dict[tuple[str, ...], list[int]] = {}
    for i, key in enumerate(keys):
        if key.quantity in QUANTITIES:
            points.setdefault((QUANTITIES[key.quantity].measurement, *key[:4]), []).append(i)
    together = [found for found in points.values() if len(found) > 1]
    alone = [found for found in points.values() if len(found) == 1]
    parts = []
    for block in _blocks(together):
        params: _Params = {"start": ns(start), "end": ns(end)}
        statements = [_select_point(n, [keys[i] for i in found], limit, params) for n, found in enumerate(block)]
        answers = ask.run("; ".join(statements), params)
        for n, found in enumerate(block):
            rows = rows_of(answers.get(n, []), _points, ask.where)
            if limit is not None and len(rows) >= limit:  # rows of one quantity count for all: each by itself
                alone += [[i] for i in found]
            elif rows:
                time, *columns, received = zip(*rows, strict=True)
                for at, i in enumerate(found):
                    parts.append(_batch(i, time, columns[3 * at], columns[3 * at + 1], columns[3 * at + 2], received))
    for block in _blocks(alone):
        params = {"start": ns(start), "end": ns(end)}
        statements = [_select(n, keys[i], limit, params) for n, (i,) in enumerate(block)]
        answers = ask.run("; ".join(statements), params)
        for n, (i,) in enumerate(block):
            if rows := rows_of(answers.get(n, []), _points, ask.where):
                time, value, flag, tests, received = zip(*rows, strict=True)
                parts.append(_batch(i, time, value, flag, tests, received))
    return _sorted_by_series(Batch.concat(parts))


def newest_times(ask: InfluxQL, points: Sequence[tuple[SeriesKey, int]]) -> list[int | None]:
    """For each (a key of the point, since) the time of the newest row of any quantity of the point, where one is from `since` on."""
    found: list[int | None] = []
    for block in _blocks(list(points)):
        params: _Params = {}
        statements = []
        for n, (key, since) in enumerate(block):
            params[f"since{n}"] = ns(since)
            measurement = QUANTITIES[key.quantity].measurement
            where = f"{_where(n, key, params)} AND time >= $since{n}"
            statements.append(f'SELECT "rx" FROM "{measurement}" WHERE {where} ORDER BY time DESC LIMIT 1')  # noqa: S608  names from the registry, values bound
        answers = ask.run("; ".join(statements), params)
        for n in range(len(block)):
            rows = rows_of(answers.get(n, []), _times, ask.where)
            found.append(rows[0][0] if rows else None)
    return found


def newest_of_measurement(ask: InfluxQL, measurement: str, since: int) -> dict[tuple[str, ...], int]:
    """By org, station, point and sensor the time of the newest row, of all points that have one from `since` on."""
    tags = ", ".join(f'"{tag}"' for tag in _TAGS)
    statement = f'SELECT last("rx") FROM "{measurement}" WHERE time >= $since GROUP BY {tags}'  # noqa: S608  names from the registry, values bound
    found: dict[tuple[str, ...], int] = {}
    for series in ask.run(statement, {"since": ns(since)}).get(0, []):
        for time, _ in rows_of([series], _times, ask.where):
            found[tuple(series.tags[tag] for tag in _TAGS)] = time
    return found


def stored_series(ask: InfluxQL, station: str | None) -> list[SeriesKey]:
    """Every series with a value, sorted: the oldest row of each tag set, for each quantity."""
    params: _Params = {} if station is None else {"station": station}
    where = "" if station is None else 'WHERE "station" = $station '
    tags = ", ".join(f'"{tag}"' for tag in _TAGS)
    found: set[SeriesKey] = set()
    for q in QUANTITIES.values():  # a request each: on a large store one takes seconds
        statement = f'SELECT "{q.field}" FROM "{q.measurement}" {where}GROUP BY {tags} LIMIT 1'  # noqa: S608  names from the registry, values bound
        found.update(_key(s.tags, q.name) for series in ask.run(statement, params).values() for s in series)
    return sorted(found)


def _key(tags: Mapping[str, str], quantity: str) -> SeriesKey:
    return SeriesKey(org=tags["org"], station=tags["station"], point=tags["point"], sensor=tags["sensor"], quantity=quantity)


def _select(n: int, key: SeriesKey, limit: int | None, params: _Params) -> str:
    quantity = QUANTITIES[key.quantity]
    field = quantity.field
    where = f"{_where(n, key, params)} AND time >= $start AND time < $end"
    text = f'SELECT "{field}", "{field}_qc", "{field}_qt", "rx" FROM "{quantity.measurement}" WHERE {where}'  # noqa: S608  names from the registry, values bound
    if limit is None:
        return text
    # A row of another quantity of the point has an rx too, and LIMIT would count it: no comparison holds for an absent field.
    return f'{text} AND ("{field}" >= 0 OR "{field}" < 0) LIMIT {int(limit)}'


def _select_point(n: int, keys: Sequence[SeriesKey], limit: int | None, params: _Params) -> str:
    fields = [QUANTITIES[key.quantity].field for key in keys]
    columns = ", ".join(f'"{f}", "{f}_qc", "{f}_qt"' for f in fields)
    where = f"{_where(n, keys[0], params)} AND time >= $start AND time < $end"
    text = f'SELECT {columns}, "rx" FROM "{QUANTITIES[keys[0].quantity].measurement}" WHERE {where}'  # noqa: S608  names from the registry, values bound
    return text if limit is None else f"{text} LIMIT {int(limit)}"


def _where(n: int, key: SeriesKey, params: _Params) -> str:
    values = (key.org, key.station, key.point, key.sensor)
    params.update({f"{tag}{n}": value for tag, value in zip(_TAGS, values, strict=True)})
    return " AND ".join(f'"{tag}" = ${tag}{n}' for tag in _TAGS)


_Column = tuple[float | int | None, ...]


def _batch(index: int, time: _Column, value: _Column, flag: _Column, tests: _Column, received: _Column) -> Batch:
    """The rows of one series that have a value."""
    values = np.array(value, dtype=np.float64)  # None is NaN, which no store holds
    there = ~np.isnan(values)
    times = np.array(time, dtype=np.int64)
    return Batch.of(
        np.full(len(values), index, dtype=np.int32),
        times,
        values,
        flag=_integers(flag, 2).astype(np.uint8),
        tests=_integers(tests, 0),
        received=np.array([t if r is None else r for t, r in zip(time, received, strict=True)] if None in received else received, dtype=np.int64),
    ).take(there)


def _integers(column: _Column, absent: int) -> NDArray[np.int64]:
    return np.array([absent if v is None else v for v in column] if None in column else column, dtype=np.int64)


def _sorted_by_series(batch: Batch) -> Batch:
    """Each series' rows came in their order."""
    return batch.take(np.argsort(batch.series, kind="stable"))


def ns(ms: int) -> int:
    """A time [ms] as InfluxQL takes it [ns], within what it knows."""
    return max(-_MOST_NS, min(_MOST_NS, ms * 1_000_000))


def _blocks(items: list[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while block := list(islice(rest, _STATEMENTS)):
        yield block
