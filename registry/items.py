"""What can be registered: its kind, its id, whether it is sound by itself, and how it reads in the audit trail."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import ConfigError
from core.place import Alias, Deployment, Device, Org, Station, Waterway, sensor_tag
from registry.ids import check_device_id, check_name, check_slug, check_text

Item = Org | Device | Station | Deployment | Waterway

DEVICE_POINT = "device"
"""The point of `device.*` series; no sensor stands there."""

POSITIONS = ("surveyed", "approximate", "unknown")
ROLES = ("primary", "check")


def kind_of(item: Item) -> str:
    """`org`, `device`, `station`, `deployment` or `waterway`."""
    return type(item).__name__.lower()


def id_of(item: Item) -> str:
    """The id within its kind; a deployment's is `sensor@start`."""
    if isinstance(item, Deployment):
        return f"{sensor_tag(item.device, item.channel)}@{item.start}"
    return item.id


def as_json(item: Item) -> str:
    """For the audit trail: sorted keys, and of a credential only whether there is one."""
    fields = asdict(item)
    if isinstance(item, Device):
        fields["credential"] = "set" if item.credential else "unset"
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def checked(item: Item) -> Item:
    """`item` with its texts normalised (NFC). Raises ConfigError that names the thing, the value and the rule."""
    match item:
        case Org():
            if item.join_generation < 1:
                raise ConfigError(f"org {item.id}: join_generation {item.join_generation} must be 1 or more")
            return replace(item, id=check_slug("org id", item.id), name=check_name(f"org {item.id}: name", item.name))
        case Device():
            check_slug(f"device {item.id}: org", item.org)
            return replace(item, id=check_device_id(item.id), model=check_name(f"device {item.id}: model", item.model))
        case Station():
            return checked_station(item)
        case Deployment():
            return _deployment(item)
        case Waterway():
            return checked_waterway(item)


def _number(what: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{what} {value} must lie from {low:g} to {high:g}")


def checked_station(s: Station) -> Station:
    """As `checked`."""
    where = f"station {s.id}"
    check_slug("station id", s.id)
    check_slug(f"{where}: org", s.org)
    if s.position not in POSITIONS:
        raise ConfigError(f"{where}: position {s.position!r} must be one of {', '.join(POSITIONS)}")
    if (s.lat is None) != (s.lon is None):
        raise ConfigError(f"{where}: lat and lon must be given together")
    if s.lat is not None and s.lon is not None:
        _number(f"{where}: lat", s.lat, -90, 90)
        _number(f"{where}: lon", s.lon, -180, 180)
    if s.km is not None:
        _number(f"{where}: km", s.km, 0, 10_000)
    if s.waterway:
        check_slug(f"{where}: waterway", s.waterway)
    if s.verdict_point:
        check_slug(f"{where}: verdict_point", s.verdict_point)
    if s.intake:
        check_slug(f"{where}: intake", s.intake)
        if s.intake == s.id:
            raise ConfigError(f"{where}: intake {s.intake!r} is the station itself: name the one whose water it takes, or none")
    try:
        ZoneInfo(s.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"{where}: timezone {s.timezone!r} is not known: give an IANA name such as Asia/Ho_Chi_Minh") from error
    return replace(
        s,
        name=check_name(f"{where}: name", s.name),
        commune=check_text(f"{where}: commune", s.commune),
        commune_scheme=check_text(f"{where}: commune_scheme", s.commune_scheme),
        level_datum=check_text(f"{where}: level_datum", s.level_datum),
        aliases=tuple(_alias(where, a) for a in s.aliases),
    )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _alias(where: str, alias: Alias) -> Alias:
    for field, text in (("start", alias.start), ("end", alias.end)):
        if text and not _is_date(text):
            raise ConfigError(f"{where}: alias {alias.name!r}: {field} {text!r} is not a date such as 2025-07-01")
    return replace(alias, name=check_name(f"{where}: alias", alias.name))


def _deployment(d: Deployment) -> Deployment:
    where = f"deployment of {sensor_tag(d.device, d.channel)}"
    check_device_id(d.device)
    check_slug(f"{where}: channel", d.channel)
    check_slug(f"{where}: station", d.station)
    check_slug(f"{where}: point", d.point)
    if d.point == DEVICE_POINT:
        raise ConfigError(f"{where}: point {DEVICE_POINT!r} is kept for device.* series: choose another")
    if d.role not in ROLES:
        raise ConfigError(f"{where}: role {d.role!r} must be one of {', '.join(ROLES)}")
    if d.start < 0 or d.end < d.start:
        raise ConfigError(f"{where}: it ends at {d.end} before it starts at {d.start} (or starts before 1970)")
    if d.depth_m is not None:
        _number(f"{where}: depth_m", d.depth_m, -1000, 1000)
    if d.interval_s is not None:
        _number(f"{where}: interval_s", d.interval_s, 0.001, 31_536_000)
    return d


def checked_waterway(w: Waterway) -> Waterway:
    """As `checked`."""
    where = f"waterway {w.id}"
    check_slug("waterway id", w.id)
    _number(f"{where}: length_km", w.length_km, 0, 10_000)
    for join in w.joins:
        check_slug(f"{where}: joins", join.waterway)
        _number(f"{where}: km along {join.waterway}", join.km, 0, 10_000)
    return replace(w, name=check_name(f"{where}: name", w.name), sea=check_text(f"{where}: sea", w.sea))
