"""Reading `config/network.toml`: every key is checked, an unknown one is an error that names it."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from importlib.resources import files
from typing import Any

import msgspec

from core.errors import ConfigError
from core.place import DEVICE_ID, SLUG, Join, Waterway
from firmware_sim.gate import Gate
from firmware_sim.network import FieldDevice, Network, Site, models
from firmware_sim.noise import seed_of
from firmware_sim.rivers import ESTUARIES

_CHANNEL = re.compile(r"main|in|out|d[1-9][0-9]{0,2}")


class _Join(msgspec.Struct, forbid_unknown_fields=True):
    waterway: str
    km: float


class _Waterway(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str
    sea: str
    length_km: float
    joins: list[_Join] = []


class _Gate(msgspec.Struct, forbid_unknown_fields=True):
    months: list[int]
    spring_above: float = 1.0
    leak: float = 0.33


class _Station(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str
    waterway: str
    km: float
    source: str
    lat: float | None = None
    lon: float | None = None
    position: str = "approximate"
    commune: str = ""
    aliases: list[str] = []
    model: str = "native"
    channels: tuple[str, ...] = ("main",)
    verdict_point: str = ""
    gate: _Gate | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    seed: int
    interval_s: float
    start: datetime
    waterways: list[_Waterway]
    stations: list[_Station]


def default_text() -> str:
    """The network that ships with the project, as TOML."""
    return files("config").joinpath("network.toml").read_text(encoding="utf-8")


def load_network(text: str, *, name: str = "network.toml", seed: int | None = None) -> Network:
    """The network of a TOML text; `seed` in place of the file's. Raises ConfigError that names the file and the key."""
    try:
        raw: Any = tomllib.loads(text)
        found = msgspec.convert(raw, _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{name}: {error}") from error
    if found.start.tzinfo is None:
        raise ConfigError(f"{name}: start {found.start} has no zone; write it with Z or an offset")
    chosen = found.seed if seed is None else seed
    for way in found.waterways:
        if way.id not in ESTUARIES:
            raise ConfigError(f"{name}: waterway {way.id!r} has no estuary model; there are {', '.join(ESTUARIES)}")
    devices = tuple(_device(s, found, name, chosen) for s in found.stations)
    if not devices:
        raise ConfigError(f"{name}: no stations")
    if len({d.id for d in devices}) < len(devices):
        raise ConfigError(f"{name}: two stations have the same id")
    waterways = tuple(
        Waterway(id=w.id, name=w.name, sea=w.sea, length_km=w.length_km, joins=tuple(Join(waterway=j.waterway, km=j.km) for j in w.joins))
        for w in found.waterways
    )
    return Network(seed=chosen, start_ms=int(found.start.timestamp() * 1000), waterways=waterways, devices=devices)


def _device(station: _Station, found: _File, name: str, seed: int) -> FieldDevice:
    where = f"{name}: station {station.id!r}"
    if not (SLUG.match(station.id) and DEVICE_ID.match(station.id)):
        raise ConfigError(f"{where}: an id is a slug of a-z, 0-9 and -")
    if station.waterway not in {w.id for w in found.waterways}:
        raise ConfigError(f"{where}: unknown waterway {station.waterway!r}")
    if station.model not in models():
        raise ConfigError(f"{where}: unknown model {station.model!r}; there are {', '.join(models())}")
    wrong = [c for c in station.channels if not _CHANNEL.fullmatch(c)]
    if wrong or not station.channels:
        raise ConfigError(f"{where}: channel {', '.join(wrong) or 'missing'}; a channel is main, in, out or d and a depth in cm")
    if {"in", "out"} & set(station.channels) and station.gate is None:
        raise ConfigError(f"{where}: channels in and out need a [stations.gate]")
    gate = None
    if station.gate is not None:
        gate = Gate(months=tuple(station.gate.months), spring_above=station.gate.spring_above, leak=station.gate.leak)
    site = Site(
        id=station.id,
        name=station.name,
        waterway=station.waterway,
        km=station.km,
        gate=gate,
        lat=station.lat,
        lon=station.lon,
        position=station.position,
        commune=station.commune,
        verdict_point=station.verdict_point,
        aliases=tuple(station.aliases),
        source=station.source,
    )
    return FieldDevice(
        id=station.id,
        site=site,
        seed=seed_of(seed, station.id),
        model=station.model,
        channels=station.channels,
        interval_ms=round(found.interval_s * 1000),
    )
