"""Reading `config/network.toml`: every key is checked, an unknown one is an error that names it."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from core.errors import ConfigError
from core.place import DEVICE_ID, SLUG, Join, Waterway
from firmware_sim.gate import Gate
from firmware_sim.network import FieldDevice, Network, Site, models
from firmware_sim.noise import seed_of
from firmware_sim.rivers import ESTUARIES

_CHANNEL = re.compile(r"main|in|out|d[1-9][0-9]{0,2}")


def _about(text: str) -> msgspec.Meta:
    """What a key is; docs/configuration.md shows it."""
    return msgspec.Meta(description=text)


class _Join(msgspec.Struct, forbid_unknown_fields=True):
    waterway: Annotated[str, _about("Id of the other one.")]
    km: Annotated[float, _about("Distance from the sea along the other one [km].")]


class _Waterway(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, _about("One that has an estuary model: `cai-lon`, `hau` …")]
    name: Annotated[str, _about("As people call it.")]
    sea: Annotated[str, _about("The sea its salt comes from.")]
    length_km: Annotated[float, _about("How far upstream is looked at [km].")]
    joins: Annotated[list[_Join], _about("Where it meets other ones.")] = []


class _Gate(msgspec.Struct, forbid_unknown_fields=True):
    months: Annotated[list[int], _about("Months it is worked in, 1 to 12.")]
    spring_above: Annotated[float, _about("Shut in those months while the range of the tide is over this share of its root mean square.")] = 1.0
    leak: Annotated[float, _about("Share of the outer salinity that stands behind it all the same.")] = 0.33


class _Station(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, _about("Slug; the device's id too.")]
    name: Annotated[str, _about("As people call it.")]
    waterway: Annotated[str, _about("Id of its waterway.")]
    km: Annotated[float, _about("Distance from the sea along it [km].")]
    source: Annotated[str, _about("Where position and salinity were taken from.")]
    lat: Annotated[float | None, _about("Latitude [°].")] = None
    lon: Annotated[float | None, _about("Longitude [°].")] = None
    position: Annotated[str, _about("How well the position is known: `surveyed`, `approximate` or `unknown`.")] = "approximate"
    commune: Annotated[str, _about("Code of its commune.")] = ""
    aliases: Annotated[list[str], _about("Other names.")] = []
    model: Annotated[str, _about("Model of its simulated device.")] = "native"
    channels: Annotated[tuple[str, ...], _about("Its probes: `main`, `in`, `out`, or `d` and a depth in cm.")] = ("main",)
    verdict_point: Annotated[str, _about("Point the verdict is about.")] = ""
    gate: Annotated[_Gate | None, _about("A sluice; needed for `in` and `out`.")] = None


class NetworkFile(msgspec.Struct, forbid_unknown_fields=True):
    seed: Annotated[int, _about("Of weather, years and noise; another seed is another delta.")]
    interval_s: Annotated[float, _about("How often a device measures [s].")]
    start: Annotated[datetime, _about("Where a simulated clock begins unless told otherwise; with a zone.")]
    waterways: Annotated[list[_Waterway], _about("The estuaries.")]
    stations: Annotated[list[_Station], _about("The stations, one device each.")]


def default_text() -> str:
    """The network that ships with the project, as TOML."""
    return files("config").joinpath("network.toml").read_text(encoding="utf-8")


def load_network(text: str, *, name: str = "network.toml", seed: int | None = None) -> Network:
    """The network of a TOML text; `seed` in place of the file's. Raises ConfigError that names the file and the key."""
    try:
        raw: Any = tomllib.loads(text)
        found = msgspec.convert(raw, NetworkFile)
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


def _device(station: _Station, found: NetworkFile, name: str, seed: int) -> FieldDevice:
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
