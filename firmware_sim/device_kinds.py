"""What a simulated device's firmware is: how it puts samples into a message, and whether it has a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One object a device has to tell: `channels` {channel: {quantity: value}}, `device` what it says of itself."""

    seq: int
    boot: int
    time_ms: int
    channels: Mapping[str, Mapping[str, float]]
    device: Mapping[str, float]


# (samples, now [ms]) → (last part of the topic, payload); called anew at each attempt, since `now` may be in the payload.
Encode = Callable[[Sequence[Sample], int], tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimDevice:
    """A model of device, the plug-in of `firmware_sim/devices/<model>.py`; `batch` is how many samples fit into one message."""

    model: str
    description: str
    has_clock: bool
    encode: Encode
    batch: int = 96
