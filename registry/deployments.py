"""Where sensors may stand: one sensor in one place at a time, one primary series at a point at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

from core.clock import rfc3339
from core.errors import ConflictError
from core.place import ALWAYS, FOREVER, Deployment, sensor_tag

K = TypeVar("K")


def check_overlaps(deployments: Iterable[Deployment]) -> None:
    """Refuse two deployments of one sensor that overlap, and two overlapping primaries at one point. Raises ConflictError.

    A point's series is the readings of its primary sensor: with two at once there would be two values for one time, and
    nothing to say which counts. The second probe of a comparison is a `check`: kept, shown as such, not in the series.
    A deployment that ends where it starts is withdrawn: it overlaps nothing.
    """
    by_sensor: defaultdict[tuple[str, str], list[Deployment]] = defaultdict(list)
    by_point: defaultdict[tuple[str, str], list[Deployment]] = defaultdict(list)
    for d in deployments:
        if d.start < d.end:
            by_sensor[d.device, d.channel].append(d)
            if d.role == "primary":
                by_point[d.station, d.point].append(d)
    for first, second in _overlaps(by_sensor):
        raise ConflictError(f"{describe(first)} and {describe(second)} overlap: end the first where the second starts")
    for first, second in _overlaps(by_point):
        raise ConflictError(
            f"{describe(first)} and {describe(second)} are both primary at one point and overlap: "
            "end the first where the second starts, give one of them role check, or another point"
        )


def _overlaps(groups: dict[K, list[Deployment]]) -> Iterable[tuple[Deployment, Deployment]]:
    for group in groups.values():
        # sorted by start, two that overlap exist exactly where two neighbours do
        yield from ((a, b) for a, b in pairwise(sorted(group, key=lambda d: (d.start, d.end, d.device, d.channel))) if b.start < a.end)


def describe(d: Deployment) -> str:
    """`sensor kl01 at kenh-lau/main from 2026-03-02T00:00:00Z on`."""
    span = "always" if d.start == ALWAYS else f"from {rfc3339(d.start)}"
    span += " on" if d.end >= FOREVER else f" to {rfc3339(d.end)}"
    return f"sensor {sensor_tag(d.device, d.channel)} at {d.station}/{d.point} {span}"
