"""Deploying, moving and swapping sensors: the deployments that change, for `Registry.put`. Pure."""

from __future__ import annotations

from dataclasses import replace

from core.clock import rfc3339
from core.errors import ConflictError, NotFoundError
from core.place import FOREVER, MAIN, Deployment, sensor_tag
from registry.directory import Directory


def deploy(
    directory: Directory,
    device: str,
    *,
    station: str,
    point: str = "",
    channel: str = MAIN,
    start: int,
    role: str = "primary",
    depth_m: float | None = None,
    interval_s: float | None = None,
    replacing: bool = False,
) -> list[Deployment]:
    """Put a sensor at a point from `start` [ms] on; where it stood somewhere then, that ends there and then.

    Readings before `start` stay where they were. `replacing`: deployments of the sensor that start later are withdrawn,
    as if never made; else they are a ConflictError. Raises NotFoundError and ConflictError.
    """
    _known(directory, device)
    if directory.station(station) is None:
        raise NotFoundError(f"no station is called {station!r}; `canhman stations list` shows them")
    standing = directory.deployment(device, channel, start)
    later = [d for d in directory.deployments_of(device) if d.channel == channel and d.start > start and d.end > d.start]
    if later and not replacing:
        raise ConflictError(
            f"sensor {sensor_tag(device, channel)} is deployed from {rfc3339(min(d.start for d in later))} already; "
            "move it after that, or withdraw what starts later with --replace"
        )
    new = Deployment(
        device=device,
        channel=channel,
        station=station,
        point=point or (standing.point if standing and standing.station == station else channel),
        start=start,
        role=role,
        depth_m=depth_m,
        interval_s=interval_s,
    )
    return [*_never(later), *([replace(standing, end=start)] if standing and standing.start < start else []), new]


def withdraw(directory: Directory, device: str, *, channel: str | None = None, end: int) -> list[Deployment]:
    """End every deployment of a device (or of one channel) that goes on at `end` [ms]; one that starts there was never.

    Raises NotFoundError where there is none.
    """
    _known(directory, device)
    found = [d for d in directory.deployments_of(device) if d.start <= end < d.end and channel in (None, d.channel)]
    if not found:
        raise NotFoundError(f"device {device} stands nowhere at {rfc3339(end)}")
    return [replace(d, end=end) for d in found]


def swap(directory: Directory, old: str, new: str, *, at: int, replacing: bool = False) -> list[Deployment]:
    """The new device takes every place of the old one from `at` [ms] on, so that each series goes on.

    `replacing`: deployments of the new device that start later are withdrawn, as if never made. Raises NotFoundError;
    ConflictError where the new device stands somewhere already.
    """
    if old == new:
        raise ConflictError(f"device {old} cannot be swapped with itself: name the one that leaves, then the one that takes its places")
    if directory.device(new) is None:
        raise NotFoundError(f"no device is called {new!r}; register it first: `canhman devices add {new}`")
    busy = [d for d in directory.deployments_of(new) if d.end > at and d.end > d.start]
    if any(d.start <= at for d in busy):
        raise ConflictError(f"device {new} is deployed already; end that first: `canhman devices withdraw {new} --at …`")
    if busy and not replacing:
        raise ConflictError(
            f"device {new} is deployed from {rfc3339(min(d.start for d in busy))} already; "
            "end that first (`canhman devices withdraw`), or withdraw what starts later with --replace"
        )
    ended = withdraw(directory, old, end=at)
    return [*_never(busy), *ended, *(replace(d, device=new, start=at, end=FOREVER) for d in ended)]


def _never(deployments: list[Deployment]) -> list[Deployment]:
    """Withdrawn from their start on: rows of the registry are kept, these say "nowhere"."""
    return [replace(d, end=d.start) for d in deployments]


def _known(directory: Directory, device: str) -> None:
    if directory.device(device) is None:
        raise NotFoundError(f"no device is called {device!r}; `canhman devices list` shows them")
