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
) -> list[Deployment]:
    """Put a sensor at a point from `start` [ms] on; where it stood somewhere then, that ends there and then.

    Readings before `start` stay where they were. Raises NotFoundError and ConflictError.
    """
    if directory.device(device) is None:
        raise NotFoundError(f"no device is called {device!r}; `canhman devices list` shows them")
    if directory.station(station) is None:
        raise NotFoundError(f"no station is called {station!r}; `canhman stations list` shows them")
    standing = directory.deployment(device, channel, start)
    later = [d for d in directory.deployments_of(device) if d.channel == channel and d.start > start and d.end > d.start]
    if later:
        raise ConflictError(f"sensor {sensor_tag(device, channel)} is deployed from {rfc3339(min(d.start for d in later))} already; move it after that")
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
    return [*([replace(standing, end=start)] if standing and standing.start < start else []), new]


def withdraw(directory: Directory, device: str, *, channel: str | None = None, end: int) -> list[Deployment]:
    """End every deployment of a device (or of one channel) that goes on at `end` [ms]. Raises NotFoundError where there is none."""
    found = [d for d in directory.deployments_of(device) if d.start < end < d.end and channel in (None, d.channel)]
    if not found:
        raise NotFoundError(f"device {device} stands nowhere at {rfc3339(end)}")
    return [replace(d, end=end) for d in found]


def swap(directory: Directory, old: str, new: str, *, at: int) -> list[Deployment]:
    """The new device takes every place of the old one from `at` [ms] on, so that each series goes on.

    Raises NotFoundError; ConflictError where the new device stands somewhere already.
    """
    if directory.device(new) is None:
        raise NotFoundError(f"no device is called {new!r}; register it first: `canhman devices add {new}`")
    if any(d.end > at and d.end > d.start for d in directory.deployments_of(new)):
        raise ConflictError(f"device {new} is deployed already; end that first: `canhman devices withdraw {new}`")
    ended = withdraw(directory, old, end=at)
    return [*ended, *(replace(d, device=new, start=at, end=FOREVER) for d in ended)]
