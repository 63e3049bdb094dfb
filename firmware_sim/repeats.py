"""Rows of a file that say again what an earlier row said of a device and a time, the same or something else."""

from __future__ import annotations

from collections.abc import Mapping

REMEMBERED = 1_000_000  # values of the newest rows; some 150 MB, so that a file of any length can be read


class Repeats:
    """What the rows so far said. In two halves, the older of which is dropped whole, so that forgetting costs nothing."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._half = max(1, remembered // 2)
        self._young: dict[int, float] = {}
        self._old: dict[int, float] = {}

    def compare(self, device: str, time_ms: int, readings: Mapping[str, float]) -> tuple[bool, str]:
        """(whether a row said exactly this before, which values differ from what was said before); takes the row in."""
        same, differing = 0, []
        for quantity, value in readings.items():
            key = hash((device, time_ms, quantity))  # 64 bits: two of a million meet by chance once in 30 million files
            before = self._young.get(key)
            if before is None:
                before = self._old.get(key)
            if before == value:
                same += 1
            elif before is not None:
                differing.append(f"{quantity} {before!r}, now {value!r}")
            self._young[key] = value
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        return same == len(readings), ", ".join(differing)
