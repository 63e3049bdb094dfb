"""The simulated network: stations on two estuaries with their devices, read from `config/network.toml` or made in any number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache

import firmware_sim.devices
from core.errors import ConfigError
from core.place import Alias, Deployment, Device, Org, Station, Waterway
from core.plugins import collect
from firmware_sim.device_kinds import SimDevice
from firmware_sim.estuary import Estuary
from firmware_sim.gate import Gate
from firmware_sim.noise import seed_of, uniform
from firmware_sim.probe import Fault
from firmware_sim.rivers import ESTUARIES


@cache
def models() -> dict[str, SimDevice]:
    """All models of simulated devices by module name."""
    return collect(firmware_sim.devices, "DEVICE", SimDevice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a device stands: `km` from the sea on `waterway` (one of the estuaries); `in` and `out` need a gate."""

    id: str
    name: str
    waterway: str
    km: float
    gate: Gate | None = None
    lat: float | None = None
    lon: float | None = None
    position: str = "approximate"
    commune: str = ""
    verdict_point: str = ""
    aliases: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDevice:
    """A simulated device: its model, site and channels (`main`, `in`, `out`, `d10` …), how often it samples and what is wrong with it.

    Its id is its site's, so that it finds the same station whether it is registered beforehand or by its first message.
    """

    id: str
    site: Site
    seed: int
    model: str = "native"
    channels: tuple[str, ...] = ("main",)
    interval_ms: float = 900_000
    offset_ms: int = 0
    boot: int = 1
    faults: tuple[Fault, ...] = field(default=())

    @property
    def firmware(self) -> SimDevice:
        """Its model's plug-in."""
        return models()[self.model]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Devices, the waterways they stand on, and the estuaries behind these; `start_ms` is where a simulated clock begins."""

    seed: int
    start_ms: int
    waterways: tuple[Waterway, ...]
    devices: tuple[FieldDevice, ...]

    def estuary(self, waterway: str) -> Estuary:
        """The estuary of that name under this network's seed."""
        return replace(ESTUARIES[waterway], seed=self.seed)

    def device(self, id: str) -> FieldDevice:
        """The device of that id. Raises ConfigError."""
        for device in self.devices:
            if device.id == id:
                return device
        raise ConfigError(f"the simulated network has no device {id!r}; it has {', '.join(d.id for d in self.devices[:20])}")


def with_faults(network: Network, faults: dict[str, tuple[Fault, ...]]) -> Network:
    """The same network where the devices named have these faults too. Raises ConfigError for a device it has not."""
    for name in faults:
        network.device(name)
    return replace(network, devices=tuple(replace(d, faults=d.faults + faults.get(d.id, ())) for d in network.devices))


def expand(network: Network, count: int) -> Network:
    """A network of `count` devices: its own first, then more at seeded places on its waterways, every tenth without a clock.

    The added ones sample at a seeded moment of the interval, as devices do that were switched on by hand.
    """
    added = []
    rivers = [w.id for w in network.waterways]
    interval = network.devices[0].interval_ms
    for i in range(len(network.devices), count):
        name = f"sim-{i + 1:05d}"
        seed = seed_of(network.seed, name)
        u = uniform(seed, range(2))
        waterway = rivers[i % len(rivers)]
        site = Site(id=name, name=f"Trạm mô phỏng {i + 1}", waterway=waterway, km=round(3.0 + 77.0 * float(u[0]), 1), position="unknown")
        model = "clockless" if i % 10 == 9 else "native"
        added.append(FieldDevice(id=name, site=site, seed=seed, model=model, interval_ms=interval, offset_ms=int(u[1] * interval)))
    return replace(network, devices=network.devices[:count] + tuple(added))


def registry_items(network: Network, org: str, *, public: bool = True) -> list[Org | Device | Station | Deployment | Waterway]:
    """What `Registry.put` needs to know this network beforehand: waterways, stations, devices, and a deployment per channel.

    The organisation itself is not among them: it exists. Stations made by `expand` have no position.
    """
    items: list[Org | Device | Station | Deployment | Waterway] = list(network.waterways)
    for device in network.devices:
        items += [_station(device.site, org, public=public), Device(id=device.id, org=org, model=device.model)]
        items += _deployments(device)
    return items


def _station(site: Site, org: str, *, public: bool) -> Station:
    return Station(
        id=site.id,
        org=org,
        name=site.name,
        lat=site.lat,
        lon=site.lon,
        position=site.position,
        waterway=site.waterway,
        km=site.km,
        commune=site.commune,
        commune_scheme="vn-2025" if site.commune else "",
        level_datum="mean sea level (simulated)",
        verdict_point=site.verdict_point,
        public=public,
        aliases=tuple(Alias(name=a) for a in site.aliases),
    )


def _deployments(device: FieldDevice) -> Iterable[Deployment]:
    for channel in device.channels:
        depth = int(channel[1:]) / 100 if channel.startswith("d") else None
        yield Deployment(device=device.id, channel=channel, station=device.site.id, point=channel, depth_m=depth, interval_s=device.interval_ms / 1000)
