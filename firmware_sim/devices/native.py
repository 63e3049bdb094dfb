"""Native JSON with a clock: `{"seq", "boot", "time", "readings", "channels", "battery", "rssi"}`, several samples as an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from core.clock import rfc3339
from core.place import MAIN
from firmware_sim.device_kinds import Sample, SimDevice


def body(sample: Sample) -> dict[str, Any]:
    """Everything of a native object but its time; a device without a `main` probe sends `channels` only."""
    found: dict[str, Any] = {"seq": sample.seq, "boot": sample.boot}
    if MAIN in sample.channels:
        found["readings"] = sample.channels[MAIN]
    others = {name: values for name, values in sample.channels.items() if name != MAIN}
    if others:
        found["channels"] = others
    return found | {name.removeprefix("device."): value for name, value in sample.device.items()}


def encode(samples: Sequence[Sample], now_ms: int) -> tuple[str, bytes]:
    """One object, or an array where there are several; `now_ms` plays no part."""
    objects = [{"time": rfc3339(s.time_ms)} | body(s) for s in samples]
    return "telemetry", msgspec.json.encode(objects[0] if len(objects) == 1 else objects)


DEVICE = SimDevice(model="native", description="native JSON, own clock", has_clock=True, encode=encode)
