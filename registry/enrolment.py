"""What becomes of a device nobody registered: it waits, it registers itself, or it is refused. Pure rules."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from core.errors import ConfigError
from core.place import MAIN, Deployment, Device, Org, Station
from registry.directory import Directory
from registry.ids import check_device_id, station_id_for
from registry.items import DEVICE_POINT

Mode = Literal["approve", "open", "closed"]

DEVICE_QUOTA = 1 << 20  # bytes of waiting messages kept of one device
ORG_QUOTA = 256 << 20  # bytes of waiting messages kept of one org


class Step(Enum):
    """What to do with a message that is not refused."""

    ACCEPT = "accept"  # a registered device: decode it
    REGISTER = "register"  # register the device and its station, then decode it
    PARK = "park"  # keep it until somebody approves the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """A dead letter of this reason."""

    reason: str


Decision = Step | Refuse


def decide(mode: Mode, *, device: Device | None, org: Org | None, topic_org: str, device_id: str = "") -> Decision:
    """What to do with a message under `topic_org` from `device` (None: not registered); `org` is the topic's, None: unknown.

    A registered device may only speak under its own org, known or not: `wrong_org`. Of an unknown device under an unknown
    org nothing can be kept, nobody could ever approve it: `forbidden`. `device_id`, where given, must be one that can be
    registered: else `bad_topic`, in every mode, for an approval would fail.
    """
    if device is not None:
        return Step.ACCEPT if device.org == topic_org else Refuse(reason="wrong_org")
    if org is None:
        return Refuse(reason="forbidden")
    if device_id:
        try:
            check_device_id(device_id)
        except ConfigError:
            return Refuse(reason="bad_topic")
    if mode == "open":
        return Step.REGISTER
    return Step.PARK if mode == "approve" else Refuse(reason="unknown_device")


def within_quota(size: int, *, device_bytes: int, org_bytes: int) -> bool:
    """Whether a message of `size` bytes may still be kept beside what already waits of its device and of its org [bytes]."""
    return device_bytes + size <= DEVICE_QUOTA and org_bytes + size <= ORG_QUOTA


def point_of(channel: str) -> str:
    """The point a channel opens: its own name. `device` is kept for `device.*` series, so that channel opens `device-1`."""
    return f"{DEVICE_POINT}-1" if channel == DEVICE_POINT else channel


def self_registration(
    device_id: str,
    org: str,
    channels: Iterable[str],
    taken: Container[str],
    *,
    public: bool = False,
    model: str = "native",
) -> tuple[Device, Station, tuple[Deployment, ...]]:
    """What a device registers of itself: a station named after it, position unknown, each channel at a point of its name.

    `taken` holds every station id of the installation. Deployments have no beginning, so that a backlog finds its place.
    """
    device = Device(id=device_id, org=org, model=model, opens_points=True)
    station = Station(id=station_id_for(device_id, taken), org=org, name=device_id, public=public)
    names = sorted(set(channels)) or [MAIN]
    return device, station, tuple(Deployment(device=device_id, channel=c, station=station.id, point=point_of(c)) for c in names)


def new_channels(directory: Directory, device: Device, channels: Iterable[str], now_ms: int) -> tuple[Deployment, ...]:
    """Deployments for channels never deployed yet of a device that opens points, at the station where it stands now.

    They begin and end with the deployment that speaks for the device now, so that a moved device's earlier backlog is not
    put here. At a point that has a primary in that time the new sensor is a `check`: what comes unasked never changes a
    series. A device that stands nowhere opens nothing.
    """
    host = directory.device_deployment(device.id, now_ms)
    if not device.opens_points or host is None:
        return ()
    known = {d.channel for d in directory.deployments_of(device.id)}
    found = []
    for channel in sorted(set(channels) - known):
        point = point_of(channel)
        held = any(p.role == "primary" for p in directory.sensors_at(host.station, point, host.start, host.end))
        role = "check" if held else "primary"
        found.append(Deployment(device=device.id, channel=channel, station=host.station, point=point, start=host.start, end=host.end, role=role))
    return tuple(found)
