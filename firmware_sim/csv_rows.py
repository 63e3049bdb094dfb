"""Recorded CSV files, plain or gzipped, as rows of readings; what cannot be read is named by its line, and the rest goes on."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.clock import rfc3339
from core.errors import ConfigError, FormatError
from core.quantities import ALIASES, QUANTITIES
from firmware_sim.device_ids import DeviceIds
from firmware_sim.repeats import Repeats

BAD_KEPT = 1000  # of a file of nothing but garbage, so many lines are named and the others counted
_OTHER = re.compile(r"[^A-Za-z0-9]+")


class ReplayRow(NamedTuple):
    """One recorded row: the station's name in the file, time [ms], {quantity: value in our unit}, and the id of the device it is replayed as."""

    station: str
    time_ms: int
    readings: dict[str, float]
    device: str


class BadRow(NamedTuple):
    """A line that was not read, and why."""

    line: int
    reason: str


class Clash(NamedTuple):
    """A line that gives a device and time another value than an earlier line; both are sent, and the last one stays."""

    line: int
    text: str


class _ValueColumn(NamedTuple):
    place: int
    name: str
    quantity: str
    factor: float


@dataclass(slots=True, kw_only=True)
class Recording:
    """A file whose header was read. Iterating reads it (again); `rows`, `bad` and `clashes` then tell what was met so far.

    `repeated` counts rows that say exactly what an earlier one said.
    """

    path: Path
    zone: ZoneInfo
    delimiter: str
    station: int
    time: int
    naive: str  # how a time without an offset is read: local, utc, or empty = refused
    values: tuple[_ValueColumn, ...]
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    bad_count: int = 0
    clashes: list[Clash] = field(default_factory=list)
    clash_count: int = 0
    repeated: int = 0

    def __iter__(self) -> Iterator[ReplayRow]:
        self.rows, self.bad, self.bad_count = 0, [], 0
        self.clashes, self.clash_count, self.repeated = [], 0, 0
        return _rows(self)

    def accept(self, line: int, row: ReplayRow, repeats: Repeats) -> None:
        """Count a row that is used, and note whether an earlier one spoke of the same device and time."""
        self.rows += 1
        same, differing = repeats.compare(row.device, row.time_ms, row.readings)
        self.repeated += same
        if differing:
            self.clash_count += 1
            if len(self.clashes) < BAD_KEPT:
                self.clashes.append(Clash(line, f"{row.device} at {rfc3339(row.time_ms)}: {differing}"))

    def refuse(self, line: int, reason: str) -> None:
        """Note a line that is not used."""
        self.bad_count += 1
        if len(self.bad) < BAD_KEPT:
            self.bad.append(BadRow(line, reason))


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    """The file's text, unzipped where it is gzip by its first bytes, whatever its name."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if zipped else raw as data, io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace", newline="") as text:
            yield text


def read_csv(path: Path, *, timezone: str = "Asia/Ho_Chi_Minh") -> Recording:
    """Open a recorded file (`.csv` or `.csv.gz`) and find its columns by name; iterate the result for its rows.

    It needs a column `station`, one that starts with `time` and at least one `<quantity>_<unit>` (`water.ec_mS/cm`) or an
    alias (`salinity_g_L`). A `time…_local` is read in `timezone`, a `time…_utc` in UTC, a text with an offset as it says.
    Raises FormatError (nothing usable in it), ConfigError (unknown zone), OSError.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"unknown time zone {timezone!r}; write it like Asia/Ho_Chi_Minh") from error
    try:
        with _text(path) as file:
            first = file.readline(65_536)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: not a readable gzip file ({error})") from error
    if "\0" in first:
        raise FormatError(f"{path}: not UTF-8 text but UTF-16 or no text at all; save it as CSV in UTF-8")
    delimiter = max(",;\t", key=first.count)
    names = [n.strip() for n in next(csv.reader([first], delimiter=delimiter), [])]
    lower = [n.lower() for n in names]
    stations = [i for i, n in enumerate(lower) if n == "station"]
    times = [i for i, n in enumerate(lower) if n.startswith("time")]
    values = tuple(_ValueColumn(i, n, *known) for i, n in enumerate(names) if (known := _quantity(n)))
    if not (stations and times and values):
        if "\ufffd" in first:
            raise FormatError(f"{path}: not UTF-8 text; save it as CSV in UTF-8")
        missing = [what for what, found in (("station", stations), ("time…", times), ("<quantity>_<unit> or an alias", values)) if not found]
        raise FormatError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(n[:40] for n in names[:20]) or 'an empty file'}; "
            f"expected station, time_local or time_utc, and values such as salinity_g_L or water.ec_mS/cm"
        )
    ends = lower[times[0]].rsplit("_", 1)[-1]
    return Recording(
        path=path, zone=zone, delimiter=delimiter, station=stations[0], time=times[0], naive=ends if ends in ("local", "utc") else "", values=values
    )


@lru_cache(maxsize=1)
def _columns() -> dict[str, tuple[str, float]]:
    known = {_OTHER.sub("_", f"{q.name}_{q.unit}").strip("_").lower(): (q.name, 1.0) for q in QUANTITIES.values()}
    for alias, (quantity, factor) in ALIASES.items():
        known.setdefault(f"{QUANTITIES[quantity].measurement}_{alias}".lower(), (quantity, factor))
        known[alias.lower()] = (quantity, factor)
    return known


def _quantity(column: str) -> tuple[str, float] | None:
    """(quantity, factor to our unit) of a column's name; None where it is not one we know."""
    return ALIASES.get(column) or _columns().get(_OTHER.sub("_", column).strip("_").lower())


def _clock(naive: str, zone: ZoneInfo) -> Callable[[str], int]:
    """A reader of times that remembers them: the same hours come again for every station. Raises ValueError."""

    @lru_cache(maxsize=1 << 16)
    def read(text: str) -> int:
        if len(text.strip()) < len("2026-03-02T01"):
            raise ValueError("no time of day")
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            if not naive:
                raise ValueError("no time zone: name the column time_local or time_utc, or write an offset")
            moment = _in_zone(moment, zone) if naive == "local" else moment.replace(tzinfo=UTC)
        return math.floor(moment.timestamp() * 1000)

    return read


def _in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """A local time in its zone. Raises ValueError where summer time makes it none or two."""
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is not None and after is not None and before != after:
        if before < after:
            raise ValueError(f"does not exist in {zone.key}: clocks were put forward over it")
        raise ValueError(f"came twice in {zone.key}, when clocks were put back: write it with an offset or in UTC")
    return first


def _lines(recording: Recording, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of all lines but the header; a broken line or a file that ends early is noted."""
    reader = csv.reader(file, delimiter=recording.delimiter)
    next(reader, None)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            recording.refuse(reader.line_num, f"not CSV: {error}")
        except (EOFError, OSError, zlib.error) as error:
            recording.refuse(reader.line_num + 1, f"the file ends early: {error}")
            return
        else:
            if cells:
                yield reader.line_num, cells


def _rows(recording: Recording) -> Iterator[ReplayRow]:
    read_time = _clock(recording.naive, recording.zone)
    devices = DeviceIds()
    repeats = Repeats()
    with _text(recording.path) as file:
        for line, cells in _lines(recording, file):
            try:
                row = _row(recording, cells, read_time, devices)
            except (ValueError, OverflowError) as error:
                recording.refuse(line, str(error))
            else:
                recording.accept(line, row, repeats)
                yield row


def _row(recording: Recording, cells: list[str], read_time: Callable[[str], int], devices: DeviceIds) -> ReplayRow:
    """One line as a row. Raises ValueError with the reason where it cannot be read."""
    if len(cells) <= max(recording.station, recording.time):
        raise ValueError(f"only {len(cells)} columns")
    station = cells[recording.station].strip()
    if not station or "\ufffd" in station:
        raise ValueError("no station" if not station else "the station's name is not UTF-8")
    device = devices[station]
    try:
        time_ms = read_time(cells[recording.time])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"time {cells[recording.time][:40]!r}: {error}") from error
    readings = {}
    for column in recording.values:
        text = cells[column.place] if column.place < len(cells) else ""
        if text and not text.isspace():  # an empty cell is a reading that is not there
            readings[column.quantity] = _number(text, column)
    if not readings:
        raise ValueError("no value")
    return ReplayRow(station, time_ms, readings, device)


def _number(text: str, column: _ValueColumn) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise ValueError(f"{column.name} {text[:40]!r} is not a number")
    return value if column.factor == 1.0 else value * column.factor
