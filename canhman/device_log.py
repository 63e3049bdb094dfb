"""What the demo's simulated devices remember over a restart: up to when each one's samples were taken (acknowledged).

A real device keeps that in its own flash. Saved each second, so after a `kill -9` it may lag: then the samples of that
second are sent once more, with the same boot and seq, which ingest recognises. It never leads: nothing is left out.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.clock import Y2000_MS
from core.errors import ConfigError
from core.place import FOREVER
from firmware_sim.network import FieldDevice, Network

FORMAT = 1


@dataclass(slots=True, kw_only=True)
class DeviceLog:
    """`since` is where the history begins [ms]; `taken` by device as `firmware_sim.run.Fleet` keeps it."""

    since: int
    taken: dict[str, int]

    def objects(self, network: Network) -> int:
        """How many objects were taken so far, over all starts."""
        return sum(count(d, self.since, self.taken.get(d.id, self.since)) for d in network.devices)

    def waiting(self, network: Network, now: int) -> int:
        """How many objects were measured before `now` and not taken yet."""
        return sum(count(d, max(self.since, self.taken.get(d.id, self.since)), now) for d in network.devices)


def count(device: FieldDevice, start: int, stop: int) -> int:
    """How many samples a device takes in start ≤ time < stop [ms]."""
    stop = min([stop, *(f.start for f in device.faults if f.kind == "silent" and f.end >= FOREVER)])
    return max(0, _nth(device, stop) - _nth(device, start))


def _nth(device: FieldDevice, time_ms: int) -> int:
    """The number of the first sample at or after `time_ms`, counted from 2000."""
    return math.ceil((time_ms - Y2000_MS - device.offset_ms) / device.interval_ms)


def load(path: Path) -> DeviceLog | None:
    """The saved log; None where there is none. Raises ConfigError for one that cannot be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != FORMAT:
            raise ConfigError(f"{path}: format {found['format']}, this version reads {FORMAT}")
        return DeviceLog(since=int(found["since"]), taken={str(k): int(v) for k, v in found["taken"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): remove it, and the simulated devices send their history once more") from error


def save(path: Path, since: int, taken: Mapping[str, int]) -> None:
    """Replace it, whole or not at all."""
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, "since": since, "taken": dict(taken)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
