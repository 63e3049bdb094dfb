"""What a column index stands for: one sensor's readings of one quantity at one point of one station."""

from __future__ import annotations

from typing import NamedTuple


class SeriesKey(NamedTuple):
    """A stored series. To people a series is (station, point, quantity); the sensor is its provenance."""

    org: str
    station: str
    point: str
    sensor: str
    quantity: str


class SeriesTable:
    """Interns keys as small integers, for the `series` column of a batch. Grows only; one per process."""

    def __init__(self) -> None:
        self.keys: list[SeriesKey] = []
        self._index: dict[SeriesKey, int] = {}

    def index(self, key: SeriesKey) -> int:
        """The number of `key`, new where it was not seen before."""
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = len(self.keys)
            self.keys.append(key)
        return found
