"""Places and devices: who talks, what it measures with, and where that stood from when to when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ALWAYS = 0  # start of a deployment that has no beginning [ms]: readings before 2000 are refused anyway
FOREVER = 1 << 62  # end of a deployment that goes on [ms]

DEVICE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
SLUG = re.compile(r"[a-z0-9-]{1,64}\Z")
MAIN = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Org:
    """An organisation: owns devices and stations; `join_generation` counts rotations of its join key."""

    id: str
    name: str
    join_generation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What talks: id, org, model; `credential` is a password hash or empty (then it uses its org's join key).

    `opens_points` is true where a channel not seen before makes its own point (self-registered devices).
    """

    id: str
    org: str
    model: str = "native"
    credential: str = ""
    opens_points: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A probe: one channel of a device."""

    device: str
    channel: str = MAIN

    @property
    def tag(self) -> str:
        """The tag `sensor` of a reading: the device's id for channel `main`, else `device/channel`."""
        return sensor_tag(self.device, self.channel)


def sensor_tag(device: str, channel: str) -> str:
    """`kl01` for channel `main`, `kl01/d10` for another."""
    return device if channel == MAIN else f"{device}/{channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A sensor at a point of a station from `start` (included) to `end` (excluded) [ms]."""

    device: str
    channel: str
    station: str
    point: str
    start: int = ALWAYS
    end: int = FOREVER
    role: str = "primary"  # or "check"
    depth_m: float | None = None
    interval_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another name of a station, valid from `start` to `end` (ISO dates, empty = open)."""

    name: str
    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A place people know; position in degrees (WGS 84), `km` from the sea along its waterway.

    A field names as `intake` the station whose water it takes: that one's verdict is shown for it.
    """

    id: str
    org: str
    name: str
    lat: float | None = None
    lon: float | None = None
    position: str = "unknown"  # surveyed | approximate | unknown
    waterway: str = ""
    km: float | None = None
    commune: str = ""
    commune_scheme: str = ""
    timezone: str = "Asia/Ho_Chi_Minh"
    level_datum: str = ""
    verdict_point: str = ""
    intake: str = ""
    public: bool = False
    aliases: tuple[Alias, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Where a waterway meets another one, `km` from the sea along the other."""

    waterway: str
    km: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterway:
    """A river or canal: the sea it opens to, its length [km] and what it joins."""

    id: str
    name: str
    sea: str
    length_km: float
    joins: tuple[Join, ...] = field(default=())
