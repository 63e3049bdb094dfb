"""The registry as the hot path asks it: immutable, in memory, by id and by time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from core.place import MAIN, Deployment, Device, Org, Station, Waterway, sensor_tag
from core.ports import RegistrySnapshot
from core.series import SeriesKey
from registry.items import DEVICE_POINT


class Located(NamedTuple):
    """The series of a reading, its role, and for which times [ms] (start included, end excluded) this answer holds."""

    key: SeriesKey
    role: str
    valid_from: int
    valid_until: int


class Provenance(NamedTuple):
    """A sensor's share [ms] in what people see as one series."""

    sensor: str
    start: int
    end: int
    role: str


class _Timeline:
    """Stretches of time that do not overlap, each with its deployment."""

    __slots__ = ("_starts", "stretches")

    def __init__(self, stretches: Iterable[tuple[int, int, Deployment]]) -> None:
        self.stretches = sorted(stretches, key=lambda s: s[0])
        self._starts = [start for start, _, _ in self.stretches]

    def at(self, time_ms: int) -> tuple[int, int, Deployment] | None:
        i = bisect_right(self._starts, time_ms) - 1
        return self.stretches[i] if i >= 0 and time_ms < self.stretches[i][1] else None


def _of_device(deployments: list[Deployment]) -> _Timeline:
    """For each time the one deployment that speaks for the whole device: channel `main` where it stands, else the first by name."""
    bounds = sorted({t for d in deployments for t in (d.start, d.end)})
    stretches = []
    for start, end in pairwise(bounds):
        standing = [d for d in deployments if d.start <= start < d.end]
        if standing:
            stretches.append((start, end, min(standing, key=lambda d: (d.channel != MAIN, d.channel))))
    return _Timeline(stretches)


class Directory:
    """Look-ups over one snapshot of the registry. Never changes: a new version of the registry is a new Directory."""

    def __init__(self, snapshot: RegistrySnapshot) -> None:
        self.version = snapshot.version
        self.snapshot = snapshot
        self._orgs = {o.id: o for o in snapshot.orgs}
        self._devices = {d.id: d for d in snapshot.devices}
        self._stations = {s.id: s for s in snapshot.stations}
        self._waterways = {w.id: w for w in snapshot.waterways}
        by_sensor: defaultdict[tuple[str, str], list[Deployment]] = defaultdict(list)
        by_device: defaultdict[str, list[Deployment]] = defaultdict(list)
        self._by_station: defaultdict[str, list[Deployment]] = defaultdict(list)
        for d in snapshot.deployments:
            by_device[d.device].append(d)
            if d.start < d.end:  # else withdrawn
                by_sensor[d.device, d.channel].append(d)
                self._by_station[d.station].append(d)
        self._by_device = dict(by_device)
        self._sensors = {sensor: _Timeline((d.start, d.end, d) for d in ds) for sensor, ds in by_sensor.items()}
        self._whole = {device: _of_device([d for d in ds if d.start < d.end]) for device, ds in by_device.items()}

    def org(self, id: str) -> Org | None:
        """The org of this id."""
        return self._orgs.get(id)

    def device(self, id: str) -> Device | None:
        """The device of this id."""
        return self._devices.get(id)

    def station(self, id: str) -> Station | None:
        """The station of this id."""
        return self._stations.get(id)

    def waterway(self, id: str) -> Waterway | None:
        """The waterway of this id."""
        return self._waterways.get(id)

    @property
    def station_ids(self) -> frozenset[str]:
        """All station ids, for `station_id_for`."""
        return frozenset(self._stations)

    def deployments_of(self, device: str) -> tuple[Deployment, ...]:
        """Every deployment of the device, withdrawn ones too."""
        return tuple(self._by_device.get(device, ()))

    def deployments_at(self, station: str) -> tuple[Deployment, ...]:
        """Every deployment at the station that was not withdrawn."""
        return tuple(self._by_station.get(station, ()))

    def deployment(self, device: str, channel: str, time_ms: int) -> Deployment | None:
        """Where this sensor stood at that time; None where it stood nowhere."""
        timeline = self._sensors.get((device, channel))
        found = timeline.at(time_ms) if timeline else None
        return found[2] if found else None

    def device_deployment(self, device: str, time_ms: int) -> Deployment | None:
        """The deployment whose station the device's own quantities belong to at that time: channel `main`, else the first by name."""
        timeline = self._whole.get(device)
        found = timeline.at(time_ms) if timeline else None
        return found[2] if found else None

    def series_key(self, device: str, channel: str, quantity: str, time_ms: int) -> Located | None:
        """The series of a reading, with the times for which the answer stays the same; None where the sensor stood nowhere.

        `device.*` quantities are the device's, whatever channel sent them: point `device`, the device's id as the sensor.
        """
        known = self._devices.get(device)
        own = quantity.startswith("device.")
        timeline = self._whole.get(device) if own else self._sensors.get((device, channel))
        found = timeline.at(time_ms) if timeline else None
        if known is None or found is None:
            return None
        start, end, d = found
        if own:
            return Located(SeriesKey(known.org, d.station, DEVICE_POINT, device, quantity), "primary", start, end)
        return Located(SeriesKey(known.org, d.station, d.point, sensor_tag(device, channel), quantity), d.role, start, end)

    def sensors_at(self, station: str, point: str, start: int, end: int) -> list[Provenance]:
        """Which sensors stood at the point within start ≤ time < end, clipped to it, sorted by start then sensor."""
        standing = self._by_station.get(station, ())
        if point == DEVICE_POINT:
            devices = sorted({d.device for d in standing})
            stretches = ((device, a, b, "primary") for device in devices for a, b, d in self._whole[device].stretches if d.station == station)
        else:
            stretches = ((sensor_tag(d.device, d.channel), d.start, d.end, d.role) for d in standing if d.point == point)
        clipped = (Provenance(sensor, max(a, start), min(b, end), role) for sensor, a, b, role in stretches if max(a, start) < min(b, end))
        return sorted(clipped, key=lambda p: (p.start, p.sensor))
