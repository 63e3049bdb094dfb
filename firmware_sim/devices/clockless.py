"""Native JSON without a clock: `age_s` in place of `time`, counted anew at each attempt; (boot, seq) make it recognisable."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from firmware_sim.device_kinds import Sample, SimDevice
from firmware_sim.devices.native import body


def encode(samples: Sequence[Sample], now_ms: int) -> tuple[str, bytes]:
    """One object, or an array where there are several, with their ages at `now_ms` [s]."""
    objects = [{"age_s": max(0, now_ms - s.time_ms) / 1000} | body(s) for s in samples]
    return "telemetry", msgspec.json.encode(objects[0] if len(objects) == 1 else objects)


DEVICE = SimDevice(model="clockless", description="native JSON, no clock: sends ages", has_clock=False, encode=encode)
