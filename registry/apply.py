"""`canhman stations apply FILE`: stations from TOML or CSV, and what would change. It never deletes."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace

from core.errors import ConfigError
from core.place import Alias, Station
from core.ports import RegistrySnapshot
from registry.ids import check_slug
from registry.items import Item, checked, checked_station, id_of, kind_of

COLUMNS = (
    "id", "name", "lat", "lon", "position", "waterway", "km", "commune", "commune_scheme",
    "org", "timezone", "level_datum", "verdict_point", "intake", "public", "aliases",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs: `before` is None for a new one."""

    kind: str
    id: str
    before: Item | None
    after: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRow:
    """A station as a file gives it: where it stands in the file, and only the columns it fills."""

    where: str
    id: str
    given: dict[str, object]


def plan(snapshot: RegistrySnapshot, wanted: Sequence[Item]) -> list[Change]:
    """What `Registry.put(*wanted)` would change, in the order given; nothing for what is registered just so already."""
    registered: dict[tuple[str, str], Item] = {
        (kind_of(item), id_of(item)): item
        for items in (snapshot.orgs, snapshot.devices, snapshot.stations, snapshot.deployments, snapshot.waterways)
        for item in items
    }
    changes = []
    for item in map(checked, wanted):
        before = registered.get((kind_of(item), id_of(item)))
        if before != item:
            changes.append(Change(kind=kind_of(item), id=id_of(item), before=before, after=item))
    return changes


def differences(change: Change) -> dict[str, tuple[object, object]]:
    """The fields that change: name → (before, after); a credential only as set, unset or changed."""
    before = {} if change.before is None else asdict(change.before)
    found: dict[str, tuple[object, object]] = {}
    for name, after in asdict(change.after).items():
        if name not in before or before[name] != after:
            found[name] = (before.get(name), after)
    if "credential" in found:
        old, new = found["credential"]
        found["credential"] = ("set" if old else "unset", "unset" if not new else "changed" if old else "set")
    return found


def parse_stations(data: bytes, *, source: str) -> list[StationRow]:
    """The stations of a file; `source` is its name (`.toml` or `.csv`) and stands in errors. Raises ConfigError with line and column.

    TOML: tables `[[station]]`, `aliases` as texts or tables `{name, start, end}`. CSV: a header line; comma, semicolon or
    tab between; `aliases` as `name|start|end; name`. An absent column or an empty cell is "not given", never "take it away".
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{source} line {line}: not UTF-8 text: save the file as UTF-8") from error
    if source.lower().endswith(".toml"):
        rows = _toml_rows(text, source)
    elif source.lower().endswith(".csv"):
        rows = _csv_rows(text, source)
    else:
        raise ConfigError(f"{source}: stations are read from files that end in .toml or .csv")
    seen: dict[str, str] = {}
    for row in rows:
        if row.id in seen:
            raise ConfigError(f"{row.where}: station {row.id} is given already at {seen[row.id]}")
        seen[row.id] = row.where
    return rows


def merge(snapshot: RegistrySnapshot, rows: Sequence[StationRow], *, org: str = "default") -> list[Station]:
    """Whole stations: what the file gives over what is registered; a new one without an org goes to `org`. Raises ConfigError."""
    registered = {s.id: s for s in snapshot.stations}
    stations = []
    for row in rows:
        before = registered.get(row.id)
        if before is None and "name" not in row.given:
            raise ConfigError(f"{row.where}: station {row.id} is new and needs a name")
        base = before or Station(id=row.id, org=org, name="")
        try:
            stations.append(checked_station(replace(base, **row.given)))  # type: ignore[arg-type]  # _value gave each field its type
        except ConfigError as error:
            raise ConfigError(f"{row.where}: {error}") from error
    return stations


def _toml_rows(text: str, source: str) -> list[StationRow]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: {error}") from error
    tables = document.pop("station", [])
    if document:
        raise ConfigError(f"{source}: unknown {', '.join(sorted(document))}: only [[station]] tables are read here")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise ConfigError(f"{source}: station must be written [[station]]")
    return [_row(f"{source} station {n}", table) for n, table in enumerate(tables, 1)]


def _csv_rows(text: str, source: str) -> list[StationRow]:
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[StationRow] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS]
        if unknown or "id" not in header or len(set(header)) < len(header):
            what = f"unknown or doubled column {', '.join(map(repr, unknown)) or header}" if unknown or "id" in header else "no column id"
            raise ConfigError(f"{source} line 1: {what}; columns are {', '.join(COLUMNS)}")
        line = reader.line_num + 1
        for cells in reader:
            where, line = f"{source} line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise ConfigError(f"{where}: {len(cells)} cells under {len(header)} columns: put quotes around texts that hold {delimiter!r}")
            rows.append(_row(where, {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}))
    except csv.Error as error:
        raise ConfigError(f"{source} line {reader.line_num}: {error}") from error
    return rows


def _row(where: str, cells: dict[str, object]) -> StationRow:
    unknown = sorted(set(cells) - set(COLUMNS))
    if unknown:
        raise ConfigError(f"{where}: unknown field {', '.join(unknown)}; fields are {', '.join(COLUMNS)}")
    given = {name: _value(f"{where}: {name}", name, cell) for name, cell in cells.items()}
    if "id" not in given:
        raise ConfigError(f"{where}: id is missing")
    try:
        return StationRow(where=where, id=check_slug("station id", str(given.pop("id"))), given=given)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _value(where: str, name: str, cell: object) -> object:
    parse: Callable[[str, object], object]
    parse = _float if name in ("lat", "lon", "km") else _bool if name == "public" else _aliases if name == "aliases" else _text
    return parse(where, cell)


def _text(where: str, cell: object) -> str:
    if not isinstance(cell, str):
        raise ConfigError(f"{where} {cell!r} must be a text")
    return cell


def _float(where: str, cell: object) -> float:
    try:
        if isinstance(cell, str | int | float) and not isinstance(cell, bool):
            return float(cell)
    except (ValueError, OverflowError):
        pass  # said below, with the value as it stands in the file
    raise ConfigError(f"{where} {cell!r} is not a number (write 9.78, with a point)")


def _bool(where: str, cell: object) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and cell.lower() in known:
        return known[cell.lower()]
    raise ConfigError(f"{where} {cell!r} must be true or false")


def _aliases(where: str, cell: object) -> tuple[Alias, ...]:
    if isinstance(cell, str):
        parts = [[p.strip() for p in entry.split("|")] for entry in cell.split(";") if entry.strip()]
        if any(len(p) > 3 for p in parts):
            raise ConfigError(f"{where} {cell!r} must be written name|start|end; name")
        return tuple(Alias(name=p[0], start="".join(p[1:2]), end="".join(p[2:3])) for p in parts)
    if not isinstance(cell, list):
        raise ConfigError(f"{where} must be a list of names or of tables with name, start and end")
    return tuple(_alias(where, entry) for entry in cell)


def _alias(where: str, entry: object) -> Alias:
    if isinstance(entry, str):
        return Alias(name=entry)
    names = {f.name for f in fields(Alias)}
    if isinstance(entry, dict) and "name" in entry and set(entry) <= names:
        # TOML knows dates by themselves: 2025-07-01 without quotes is one
        return Alias(**{key: str(value) for key, value in entry.items()})
    raise ConfigError(f"{where} {entry!r} must be a name or a table with name, start and end")
