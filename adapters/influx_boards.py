"""Stations and their newest values as lines for Grafana, and what stands of them: measurements `station` and `latest`.

`station,org=o,station=kl-01 name="Kênh Lầu",label="Kênh Lầu (kl-01)",waterway="cai-lon",…,lat=9.77,lon=105.6,km=41.5 1772402400000`
`latest,org=o,point=main,station=kl-01 salinity=1.8,fresh=1i,seen=1772402400000i,flag=1i,verdict=1i,…,name="Kênh Lầu",waterway="cai-lon" 1772406000000`,
with `pump_from=1772409600000i,pump_to=1772424000000i,pump_of_ten=9i,pump_limit=1.0` in it

A text a person wrote never keeps a line from being written: a line break in it stands there as a space. In `station`, whose texts
are values of Grafana's variables, `$` and `[[` stand there in full width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from adapters.influx_mirror import send_lines, send_rows
from adapters.influx_query import InfluxQL, Series, rows_of
from adapters.influx_read import ns
from adapters.influx_send import Sender
from adapters.line_protocol import escape_tag
from core.board import MEASUREMENT, Shown
from core.errors import RefusedError
from core.place import Station
from core.ports import RefusedRow

STATION = "station"
_TEXTS = ("name", "label", "waterway", "waterway_name", "commune", "verdict_point")
_NUMBERS = ("lat", "lon", "km")

_Row = tuple[str | float | None, ...]  # _TEXTS, then _NUMBERS
_Stood = tuple[int, str | None, str | None, str | None, str | None, str | None, str | None, float | None, float | None, float | None]  # time, _TEXTS, _NUMBERS
_Held = tuple[int, object, object, object, object, object, object, object]  # somebody else may have written another type there
_stood = msgspec.json.Decoder(list[_Stood])
_held = msgspec.json.Decoder(list[_Held])


def write_stations(ask: InfluxQL, sender: Sender, stations: Sequence[Station], waterways: Mapping[str, str], at: int, where: str, database: str) -> int:
    """Write those that stand otherwise at `at` [ms], or just after what stands; returns how many. Raises RefusedError for those no line can hold."""
    standing = _standing(ask)
    texts: list[str] = []
    trouble: list[str] = []
    for station in stations:
        waterway_name = waterways.get(station.waterway, "")
        time, stood = standing.get((station.org, station.id), (at - 1, ()))
        if _row(station, waterway_name) == stood:
            continue
        try:
            texts.append(station_line(station, waterway_name, max(at, time + 1)))
        except ValueError as error:
            trouble.append(f"station {station.id!r}: {error}")
    _send(sender, texts, trouble, where, database)
    return len(texts)


def write_latest(sender: Sender, rows: Sequence[Shown], where: str, database: str) -> list[RefusedRow]:
    """Write them in this order; returns those that are refused, after the others are written."""
    return send_rows(sender, rows, lambda row: (latest_line(row),), where, database)


def known_rows(ask: InfluxQL, since: int) -> list[Shown]:
    """The rows of `latest` with `fresh` and a time after `since` [ms], and the newest of each org and point; by tags and time."""
    fields = '"salinity", "fresh", "seen", "flag", "verdict", "name", "waterway"'
    every = f'SELECT {fields} FROM "{MEASUREMENT}"'  # noqa: S608  no value in it
    grouped = 'GROUP BY "org", "station", "point"'
    answer = ask.run(f'{every} WHERE time > $since AND "fresh" = 1 {grouped}; {every} {grouped} ORDER BY time DESC LIMIT 1', {"since": ns(since)})
    found = {_key(row): row for series in (*answer.get(0, []), *answer.get(1, [])) for row in _rows(series, ask.where)}
    return [found[key] for key in sorted(found)]


def _rows(series: Series, where: str) -> Iterator[Shown]:
    for time, salinity, fresh, seen, flag, verdict, name, waterway in rows_of([series], _held, where):
        yield Shown(
            org=series.tags["org"],
            station=series.tags["station"],
            point=series.tags["point"],
            time=time,
            fresh=fresh == 1,
            seen=seen if isinstance(seen, int) else 0,
            flag=flag if isinstance(flag, int) else 0,
            salinity=float(salinity) if isinstance(salinity, int | float) else None,
            is_verdict_point=verdict == 1,
            name=name if isinstance(name, str) else "",
            waterway=waterway if isinstance(waterway, str) else "",
        )


def _key(row: Shown) -> tuple[str, str, str, int]:
    return row.org, row.station, row.point, row.time


def latest_line(row: Shown) -> str:
    """One row of `latest`. Raises ValueError for a tag no line can hold."""
    tags = f"org={escape_tag(row.org)},point={escape_tag(row.point)},station={escape_tag(row.station)}"
    salinity = "" if row.salinity is None or not math.isfinite(row.salinity) else f"salinity={float(row.salinity)!r},"
    whole = f"fresh={int(row.fresh)}i,seen={row.seen}i,flag={row.flag}i,verdict={int(row.is_verdict_point)}i"
    # always all of it: a field that is left out keeps the value the row had before
    pump = f"pump_from={row.pump.start}i,pump_to={row.pump.end}i,pump_of_ten={row.pump.of_ten}i,pump_limit={float(row.pump.limit)!r}"
    return f"{MEASUREMENT},{tags} {salinity}{whole},{pump},name={_quoted(_plain(row.name))},waterway={_quoted(_plain(row.waterway))} {row.time}"


def station_line(station: Station, waterway_name: str, time: int) -> str:
    """One row of `station`. Raises ValueError for a tag no line can hold."""
    row = _row(station, waterway_name)
    fields = [f"{name}={_quoted(str(text))}" for name, text in zip(_TEXTS, row, strict=False)]
    fields += [f"{name}={number!r}" for name, number in zip(_NUMBERS, row[len(_TEXTS) :], strict=True) if number is not None]
    return f"{STATION},org={escape_tag(station.org)},station={escape_tag(station.id)} {','.join(fields)} {time}"


def _row(station: Station, waterway_name: str) -> _Row:
    """What should stand of a station: texts always, numbers where they are known."""
    texts = (station.name, f"{station.name} ({station.id})", station.waterway, waterway_name, station.commune, station.verdict_point)
    numbers = (None if x is None or not math.isfinite(x) else float(x) for x in (station.lat, station.lon, station.km))
    return (*(_inert(_plain(text)) for text in texts), *numbers)


def _standing(ask: InfluxQL) -> dict[tuple[str, str], tuple[int, _Row]]:
    """The newest row of each station, whole: what it lacks is None, and never a value of an older row (as last() of each field would give)."""
    fields = ", ".join(f'"{name}"' for name in (*_TEXTS, *_NUMBERS))
    statement = f'SELECT {fields} FROM "{STATION}" GROUP BY "org", "station" ORDER BY time DESC LIMIT 1'  # noqa: S608  no value in it
    found: dict[tuple[str, str], tuple[int, _Row]] = {}
    for series in ask.run(statement).get(0, []):
        for row in rows_of([series], _stood, ask.where):
            found[series.tags["org"], series.tags["station"]] = (row[0], row[1:])
    return found


def _send(sender: Sender, texts: Iterable[str], trouble: Sequence[str], where: str, database: str) -> None:
    send_lines(sender, iter(texts), where, database)
    if trouble:
        raise RefusedError(f"{where}: {len(trouble)} of the stations cannot be written: {trouble[0]}")


def _plain(text: str) -> str:
    """The text as a line can hold it: a line break ends a line whatever stands before it, and half a surrogate pair is no UTF-8."""
    return " ".join(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).encode("utf-8", "replace").decode()


def _inert(text: str) -> str:
    """The text without the signs of a variable: up to 11 Grafana looks for `$station` and `[[station]]` in the value of a variable again."""
    return text.replace("$", "＄").replace("[[", "［［")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
