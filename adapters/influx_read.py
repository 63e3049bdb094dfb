"""Readings out of InfluxDB: InfluxQL with bound values; names come from the quantity registry and nowhere else.

One statement for each series, many statements in one request: a series is one tag set, so that LIMIT counts per series
and nothing has to be sorted or told apart afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec
import numpy as np

from adapters.influx_query import InfluxQL, rows_of
from core.batch import Batch
from core.quantities import QUANTITIES
from core.series import SeriesKey

_STATEMENTS = 100  # in one request: its text stays under 50 kB
_MOST_NS = 9_223_372_036_854_775_806  # the last time InfluxDB knows [ns]; the first is its negative
_TAGS = ("org", "station", "point", "sensor")

_Params = dict[str, str | int]
_Reading = tuple[int, float | None, int | None, int | None, int | None]  # time, value, qc, qt, rx
_readings = msgspec.json.Decoder(list[_Reading])
_times = msgspec.json.Decoder(list[tuple[int, int]])
T = TypeVar("T")


def read_keys(ask: InfluxQL, keys: Sequence[SeriesKey], start: int, end: int, limit: int | None) -> Batch:
    """Rows of `keys` with start ≤ time < end, sorted by (series, time); at most `limit` of the oldest of each."""
    if start >= end or (limit is not None and limit <= 0):  # LIMIT 0 means no limit there
        return Batch.empty()
    parts = []
    known = [(i, key) for i, key in enumerate(keys) if key.quantity in QUANTITIES]
    for block in _blocks(known):
        params: _Params = {"start": ns(start), "end": ns(end)}
        statements = [_select(n, key, limit, params) for n, (_, key) in enumerate(block)]
        answers = ask.run("; ".join(statements), params)
        parts += [_batch(index, rows_of(answers[n], _readings, ask.where)) for n, (index, _) in enumerate(block) if answers.get(n)]
    return Batch.concat(parts)


def newest_times(ask: InfluxQL, points: Sequence[tuple[SeriesKey, int]]) -> list[int | None]:
    """For each (a key of the point, since) the time of the newest row of any quantity of the point from `since` on."""
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


def _where(n: int, key: SeriesKey, params: _Params) -> str:
    values = (key.org, key.station, key.point, key.sensor)
    params.update({f"{tag}{n}": value for tag, value in zip(_TAGS, values, strict=True)})
    return " AND ".join(f'"{tag}" = ${tag}{n}' for tag in _TAGS)


def _batch(index: int, found: list[_Reading]) -> Batch:
    """The rows of one statement that have a value."""
    rows = [row for row in found if row[1] is not None]
    if not rows:
        return Batch.empty()
    time, value, flag, tests, received = zip(*rows, strict=True)
    return Batch.of(
        np.full(len(rows), index, dtype=np.int32),
        time,
        value,
        flag=[2 if f is None else f for f in flag],
        tests=[t or 0 for t in tests],
        received=[t if r is None else r for t, r in zip(time, received, strict=True)],
    )


def ns(ms: int) -> int:
    """A time [ms] as InfluxQL takes it [ns], within what it knows."""
    return max(-_MOST_NS, min(_MOST_NS, ms * 1_000_000))


def _blocks(items: list[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while block := list(islice(rest, _STATEMENTS)):
        yield block
