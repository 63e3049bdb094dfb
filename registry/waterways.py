"""The waterways a new installation starts with, from `config/waterways.toml`."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from core.errors import ConfigError
from core.place import Join, Waterway
from registry.items import checked_waterway

# What each field is; of `joins`, each of the two in it.
ABOUT = {
    "id": "Slug; stations name it.",
    "name": "As people call it.",
    "sea": "The sea its salt comes from; empty for a canal between two rivers.",
    "length_km": "How far from the sea this installation looks upstream [km].",
    "joins": "Where it meets other ones; a canal's own km are counted from the first.",
    "joins.waterway": "Id of the other one.",
    "joins.km": "Distance from the sea along the other one [km].",
}
_FIELDS = {"id": str, "name": str, "sea": str, "length_km": (int, float), "joins": list}


def default_waterways() -> tuple[Waterway, ...]:
    """Those shipped in the wheel."""
    return parse_waterways(files("config").joinpath("waterways.toml").read_bytes(), source="config/waterways.toml")


def parse_waterways(data: bytes, *, source: str) -> tuple[Waterway, ...]:
    """The `[[waterway]]` tables of a TOML file. Raises ConfigError that names the table and the field."""
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{source}: {error}") from error
    tables = document.pop("waterway", [])
    if document or not isinstance(tables, list):
        raise ConfigError(f"{source}: unknown {', '.join(sorted(document)) or 'waterway'}: only [[waterway]] tables are read here")
    found = tuple(_waterway(f"{source} waterway {n}", table) for n, table in enumerate(tables, 1))
    ids = [w.id for w in found]
    for w in found:
        if ids.count(w.id) > 1:
            raise ConfigError(f"{source}: waterway {w.id} is given twice")
        for join in w.joins:
            if join.waterway not in ids:
                raise ConfigError(f"{source}: waterway {w.id} joins {join.waterway!r}, which is not in the file")
    return found


def _waterway(where: str, table: dict[str, object]) -> Waterway:
    for name, value in table.items():
        if name not in _FIELDS or not isinstance(value, _FIELDS[name]) or isinstance(value, bool):  # type: ignore[arg-type]  # a dict of types
            raise ConfigError(f"{where}: field {name} {value!r} is unknown or not of its type; fields are {', '.join(_FIELDS)}")
    missing = sorted(set(_FIELDS) - {"joins"} - set(table))
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} is missing")
    joins = table.pop("joins", [])
    try:
        return checked_waterway(Waterway(**table, joins=tuple(Join(**join) for join in joins)))  # type: ignore[arg-type,attr-defined]  # checked above
    except TypeError as error:
        raise ConfigError(f"{where}: joins must be written {{ waterway = …, km = … }}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
