"""What a dataset's TOML file says: where columns are, what they mean, and where training ends and the test begins."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import ConfigError

DAILY = ("max", "min", "mean")
MOST_LEAD = 366  # days

_TOP = ("name", "timezone", "thresholds", "leads_days", "train_until", "test_from", "test_until", "data", "score_stations", "target", "driver")
_TARGET = ("file", "time", "station", "value", "columns", "unit", "daily", "stations")
_DRIVER = ("file", "time", "station", "value", "columns", "name", "stations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file's values are: `wide` {name: column}, or in long form `station` and `value`, two columns."""

    file: str
    time: str
    station: str = ""
    value: str = ""
    wide: Mapping[str, str]

    def wanted(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (self.time, *self.wide.values()) if self.wide else (self.time, self.station, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Another quantity. `stations`: the targets it bears on, None for all; `own`: each row bears on the target of the same name."""

    columns: Columns
    name: str
    stations: tuple[str, ...] | None
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A dataset's file, read. `source` is the file's name, for errors."""

    source: str
    name: str
    zone: str
    lines: tuple[float, ...]
    leads: tuple[int, ...]
    train_until: date | None
    test_from: date | None
    test_until: date | None
    data: str
    target: Columns
    unit: str
    daily: str
    stations: tuple[str, ...] | None
    scored: tuple[str, ...] | None
    drivers: tuple[Driver, ...]


def parse_spec(content: Mapping[str, Any], source: str) -> Spec:
    """Read a TOML file's content. Raises ConfigError: one line that names file, key, value and the way out."""
    top = _Keys(source, content, _TOP)
    target = _Keys(f"{source}: [target]", top.table("target"), _TARGET)
    daily = target.text("daily", "max")
    if daily not in DAILY:
        raise target.wrong("daily", daily, f"write one of {', '.join(DAILY)}")
    return Spec(
        source=source,
        name=top.text("name", source.removesuffix(".toml")),
        zone=_zone(top),
        lines=_lines(top),
        leads=_leads(top),
        train_until=top.day("train_until"),
        test_from=top.day("test_from"),
        test_until=top.day("test_until"),
        data=top.text("data", ""),
        target=_columns(target),
        unit=target.text("unit").strip(),
        daily=daily,
        stations=target.names_or_all("stations"),
        scored=top.names("score_stations"),
        drivers=tuple(_driver(_Keys(f"{source}: [[driver]] {n}", table, _DRIVER)) for n, table in enumerate(top.tables("driver"), 1)),
    )


def plain(name: str) -> str:
    """A station's name as it is compared: without blanks around it, accents composed."""
    return unicodedata.normalize("NFC", name.strip())


class _Keys:
    """One table of the file; every refusal names it."""

    def __init__(self, where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        self.where = where
        self.given = table
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                way_out = "it stands above [target]" if key in _TOP else f"is it {near[0]}?" if near else f"known are {', '.join(known)}"
                raise ConfigError(f"{where}: unknown key {key!r}; {way_out}")

    def wrong(self, key: str, value: object, way_out: str) -> ConfigError:
        return ConfigError(f"{self.where}: {key} = {value!r}: {way_out}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.given.get(key, default)
        if value is None:
            raise ConfigError(f"{self.where}: {key} is missing")
        if not isinstance(value, str) or (not value.strip() and default != value):
            raise self.wrong(key, value, "write a text")
        return value

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.given.get(key)
        if value is None:
            raise ConfigError(f"{self.where}: [{key}] is missing")
        if not isinstance(value, dict):
            raise self.wrong(key, value, f"write a table [{key}]")
        return value

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        value = self.given.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.wrong(key, value, f"write [[{key}]], with two brackets")
        return value

    def names(self, key: str) -> tuple[str, ...] | None:
        value = self.given.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v.strip() for v in value):
            raise self.wrong(key, value, 'write a list of names such as ["daingai", "travinh"], or leave it out for all')
        return tuple(dict.fromkeys(plain(v) for v in value))

    def names_or_all(self, key: str) -> tuple[str, ...] | None:
        """None for "all", and where nothing is said."""
        return None if self.given.get(key) == "all" else self.names(key)

    def day(self, key: str) -> date | None:
        value = self.given.get(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.wrong(key, str(value), "write a day such as 2021-12-31") from None

    def numbers(self, key: str, way_out: str) -> list[float]:
        value = self.given.get(key)
        if value is None:
            raise ConfigError(f"{self.where}: {key} is missing: {way_out}")
        if not isinstance(value, list) or not value or any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in value):
            raise self.wrong(key, value, way_out)
        return value


def _zone(top: _Keys) -> str:
    name = top.text("timezone")
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, LookupError):
        raise top.wrong("timezone", name, "write a zone's name such as Asia/Ho_Chi_Minh or UTC") from None


def _lines(top: _Keys) -> tuple[float, ...]:
    return tuple(sorted({float(v) for v in top.numbers("thresholds", "write a list of numbers such as [0.5, 1.0, 2.0, 4.0], in the target's unit")}))


def _leads(top: _Keys) -> tuple[int, ...]:
    way_out = f"write a list of whole days from 1 to {MOST_LEAD} such as [1, 3, 7, 14]"
    found = top.numbers("leads_days", way_out)
    if any(v != int(v) or not 1 <= v <= MOST_LEAD for v in found):
        raise top.wrong("leads_days", found, way_out)
    return tuple(sorted({int(v) for v in found}))


def _columns(keys: _Keys) -> Columns:
    wide = keys.given.get("columns")
    if wide is None:
        for key in ("station", "value"):
            if key not in keys.given:
                raise ConfigError(
                    f'{keys.where}: {key} is missing: name the columns station and value (long form), or columns = {{ name = "column" }} (wide form)'
                )
        return Columns(file=keys.text("file"), time=keys.text("time"), station=keys.text("station"), value=keys.text("value"), wide={})
    if not isinstance(wide, dict) or not wide or not all(isinstance(c, str) and c and plain(n) for n, c in wide.items()):
        raise keys.wrong("columns", wide, 'write { name = "column", … }')
    for key in ("station", "value", "name"):
        if key in keys.given:
            raise ConfigError(f"{keys.where}: columns (wide form) and {key} (long form) exclude each other")
    return Columns(file=keys.text("file"), time=keys.text("time"), wide={plain(n): c for n, c in wide.items()})


def _driver(keys: _Keys) -> Driver:
    columns = _columns(keys)
    stations = keys.names_or_all("stations")
    name = "" if columns.wide else keys.text("name")
    return Driver(columns=columns, name=name, stations=stations, own=not columns.wide and "stations" not in keys.given)
