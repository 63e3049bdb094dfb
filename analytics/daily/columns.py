"""Columns of text read as times and numbers, and long or wide tables as one list of readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats, Index
from analytics.daily.spec import Columns, plain
from core.errors import ConfigError
from core.table import ReadTable, Table

_EPOCH = date(1970, 1, 1).toordinal()
_YEARS = range(1800, 2201)  # a year outside is a slip of the pen, and would make a panel of a million days
_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Numbers that were read, (r,) each: `name` index into `names`, seconds of UTC, local day (since 1970-01-01) and hour, value; in the file's order."""

    names: tuple[str, ...]
    name: Index
    time: Index
    day: Index
    hour: Index
    value: Floats

    def where(self, mask: NDArray[np.bool_] | Index) -> Readings:
        """Those of the mask, or in this order."""
        taken = {key: getattr(self, key)[mask] for key in ("name", "time", "day", "hour", "value")}
        return Readings(names=self.names, **taken)


def readings(columns: Columns, where: str, zone: str, read: ReadTable) -> Readings:
    """Every number of a table, empty cells left out; `where` names the table of the dataset's file in errors. Raises ConfigError."""
    table = read(columns.file, columns.wanted())
    _present(columns, where, table)
    if not table.lines:
        raise ConfigError(f"{where}: {table.file} has a first line and no rows")
    time = _times(table, columns.time, ZoneInfo(zone))
    if columns.wide:
        names = tuple(sorted(columns.wide))
        value = np.concatenate([_numbers(table, columns.wide[name]) for name in names])
        name = np.repeat(np.arange(len(names), dtype=np.int64), len(table.lines))
        time = np.tile(time, (1, len(names)))
    else:
        names, name = _names(table, columns.station)
        value = _numbers(table, columns.value)
    found = Readings(names=names, name=name, time=time[0], day=time[1], hour=time[2], value=value)
    return found.where(np.isfinite(value))


def in_order(found: Readings) -> tuple[Readings, int]:
    """By name and time, of each pair the last in the file alone; and how many were passed over."""
    order = np.lexsort((found.time, found.name))
    name, time = found.name[order], found.time[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (name[1:] != name[:-1]) | (time[1:] != time[:-1])
    return found.where(order[last].astype(np.int64)), int((~last).sum())


def _present(columns: Columns, where: str, table: Table) -> None:
    keys = {"time": columns.time, "station": columns.station, "value": columns.value} | {f"columns.{name}": column for name, column in columns.wide.items()}
    for key, column in keys.items():
        if column and column not in table.columns:
            raise ConfigError(f"{where}: {key} = {column!r} is no column of {table.file}; it has {', '.join(table.header) or 'none'}")


def _names(table: Table, column: str) -> tuple[tuple[str, ...], Index]:
    cells = table.columns[column]
    word = {cell: plain(cell) for cell in dict.fromkeys(cells)}
    names = tuple(sorted({*word.values()} - {""}))
    if "" in word.values():
        at = next(at for at, cell in enumerate(cells) if not word[cell])
        raise _unreadable(table, at, column, "names no station")
    place = {name: n for n, name in enumerate(names)}
    return names, np.array([place[word[cell]] for cell in cells], dtype=np.int64)


def _times(table: Table, column: str, zone: ZoneInfo) -> Index:
    """(3, r): seconds of UTC, local day, local hour. Each text is read once: stations share their times."""
    cells = table.columns[column]
    known: dict[str, tuple[int, int, int]] = {}
    for at, cell in enumerate(cells):
        if cell not in known:
            found = _time(cell, zone)
            if found is None:
                raise _unreadable(table, at, column, "is no time such as 2022-03-01, 2022-03-01 07:00 or 2022-03-01T00:00:00Z")
            known[cell] = found
    return np.array([known[cell] for cell in cells], dtype=np.int64).T


def _time(cell: str, zone: ZoneInfo) -> tuple[int, int, int] | None:
    """A time without a zone is one of `zone`; where clocks go back an hour comes twice, and it is the first of the two."""
    try:
        found = datetime.fromisoformat(cell.strip())
        if found.year not in _YEARS:
            return None
        local = found if found.tzinfo is None else found.astimezone(zone)
        moment = (found.replace(tzinfo=zone) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp() // 1), local.toordinal() - _EPOCH, local.hour


def _numbers(table: Table, column: str) -> Floats:
    found = np.empty(len(table.lines))
    for at, cell in enumerate(table.columns[column]):
        try:
            found[at] = _number(cell, table.decimal_comma)
        except ValueError:
            raise _unreadable(table, at, column, "is no number; leave the cell empty where nothing was measured") from None
    return found


def _number(cell: str, comma: bool) -> float:
    """NaN for an empty cell. Raises ValueError for what is no finite number."""
    word = cell.strip()
    if word.lower() in _NOTHING:
        return np.nan
    value = float(word.replace(",", ".") if comma else word)
    if "_" in word or not np.isfinite(value):
        raise ValueError(word)
    return value


def _unreadable(table: Table, at: int, column: str, what: str) -> ConfigError:
    return ConfigError(f"{table.file} line {table.lines[at]}, column {column}: {table.columns[column][at]!r} {what}")
