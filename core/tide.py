"""The astronomical tide of a port, from its harmonic constants: known years ahead, without wind, surge or river."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.constituents import CONSTITUENTS, argument, astronomical, nodal
from core.errors import ConfigError
from core.instant import to_ms
from core.zones import canonical

Floats = NDArray[np.float64]

PRINCIPAL = ("M2", "S2", "K1", "O1")  # without these four there is no tide worth the name anywhere
_PORT = {"id": str, "name": str, "zone": str, "latitude": float, "longitude": float, "mean_level_m": float, "datum": str, "source": str, "licence": str}
TWELFTHS = 12  # of a day: two hours each, but where the clocks change
_STEPS = 144  # of a local day: the highest of these lies at most 1 mm below the day's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where the constants hold: `constituents` by name, amplitude [m] and phase lag behind Greenwich [degrees]; `mean_level_m` above `datum`.

    `zone` is the IANA zone of the stations this tide is shown to.
    """

    id: str
    name: str
    zone: str
    latitude: float
    longitude: float
    mean_level_m: float
    datum: str
    source: str
    licence: str
    constituents: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TideDays:
    """Of each local day (n,): highest, lowest, mean level and the range between the two first [m]; `course` (n, TWELFTHS) in the middle of its twelfths."""

    high: Floats
    low: Floats
    range: Floats
    mean: Floats
    course: Floats


def shipped_ports() -> tuple[Port, ...]:
    """Those of `config/tides/` in the wheel, by file name."""
    found = sorted((f for f in files("config").joinpath("tides").iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(parse_port(f.read_text("utf-8"), source=f"config/tides/{f.name}") for f in found)


def port_of_zone(zone: str, ports: tuple[Port, ...]) -> Port | None:
    """The first port given for this zone, by whichever of its names; None where there is none, and then no tide may be assumed."""
    return next((port for port in ports if canonical(port.zone) == canonical(zone)), None)


def parse_port(text: str, *, source: str = "tide") -> Port:
    """A port's TOML file. Raises ConfigError that names the key; what is unknown is refused, not passed over."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: {error}") from error
    port, constants = (_table(document, name, source) for name in ("port", "constituents"))
    if document:
        raise ConfigError(f"{source}: unknown {', '.join(sorted(document))}: only [port] and [constituents] are read here")
    unknown, missing = sorted(set(port) - set(_PORT)), sorted(set(_PORT) - set(port))
    if unknown or missing:
        raise ConfigError(f"{source} [port]: " + ", ".join([f"{key} is unknown" for key in unknown] + [f"{key} is missing" for key in missing]))
    for key, kind in _PORT.items():
        if kind is str and not (isinstance(port[key], str) and port[key]):
            raise ConfigError(f"{source} [port] {key}: {port[key]!r} is not a text in quotes")
    try:
        ZoneInfo(port["zone"])
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigError(f"{source} [port] zone: {port['zone']!r} is not an IANA zone such as Asia/Ho_Chi_Minh") from error
    lacking = [name for name in PRINCIPAL if name not in constants]
    if lacking:
        raise ConfigError(f"{source} [constituents]: {', '.join(lacking)} is missing; a tide needs at least {', '.join(PRINCIPAL)}")
    return Port(
        **{key: port[key] for key, kind in _PORT.items() if kind is str},
        latitude=_number(port["latitude"], -90, 90, f"{source} [port] latitude"),
        longitude=_number(port["longitude"], -180, 180, f"{source} [port] longitude"),
        mean_level_m=_number(port["mean_level_m"], -20, 20, f"{source} [port] mean_level_m"),
        constituents={name: _constant(name, pair, f"{source} [constituents] {name}") for name, pair in constants.items()},
    )


def level(port: Port, time_ms: NDArray[np.int64]) -> Floats:
    """Level [m] above the port's datum (n,) at instants (n,) in ms since 1970 UTC: mean level + Σ f·H·cos(V + u − g)."""
    longitudes, node = astronomical(time_ms)
    factors = nodal(node)
    found = np.full(node.shape, port.mean_level_m)
    for name, (amplitude, phase) in port.constituents.items():
        f, u = factors[CONSTITUENTS[name][-1]]
        found += amplitude * f * np.cos(np.radians(argument(name, longitudes) + u - phase))
    return found


def daily(port: Port, zone: str, days: NDArray[np.datetime64]) -> TideDays:
    """High, low, range, mean and course of each local day of `zone` (n,) datetime64[D], from midnight to midnight, also where a day has 23 or 25 hours."""
    tz = ZoneInfo(zone)
    starts, ends = (np.array([_midnight_ms(day + n, tz) for day in days.astype("datetime64[D]")], dtype=np.int64) for n in (0, 1))
    within = starts[:, None] + (ends - starts)[:, None] * np.arange(_STEPS) // _STEPS
    levels = level(port, within.ravel()).reshape(within.shape)
    high, low = levels.max(axis=1), levels.min(axis=1)
    return TideDays(high=high, low=low, range=high - low, mean=levels.mean(axis=1), course=levels[:, _STEPS // TWELFTHS // 2 :: _STEPS // TWELFTHS])


def _midnight_ms(day: np.datetime64, tz: ZoneInfo) -> int:
    moment: datetime = (day.astype("datetime64[s]")).item()
    return to_ms(moment.replace(tzinfo=tz))


def _table(document: dict[str, Any], name: str, source: str) -> dict[str, Any]:
    found = document.pop(name, None)
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"{source}: the table [{name}] is missing")
    return found


def _constant(name: str, pair: object, where: str) -> tuple[float, float]:
    if name not in CONSTITUENTS:
        raise ConfigError(f"{where} is no constituent known here; known: {', '.join(CONSTITUENTS)}")
    if not isinstance(pair, list) or len(pair) != 2:
        raise ConfigError(f"{where}: {pair!r} is not written [amplitude in m, phase in degrees]")
    return _number(pair[0], 0, 20, f"{where} amplitude"), _number(pair[1], -360, 360, f"{where} phase")


def _number(value: object, low: float, high: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
        raise ConfigError(f"{where}: {value!r} is not a number from {low} to {high}")
    return float(value)
