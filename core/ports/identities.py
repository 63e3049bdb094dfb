"""The database: how a message that comes again is recognised, and what is known of its sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.state import BootSpan, Claim, DeviceClock, DeviceStatus, Gap, Seen


class Identities(Protocol):
    """What makes a redelivery recognisable: the memory behind (device, boot, seq); written by `States.commit`."""

    async def seen(self, device: str) -> list[Seen]:
        """The last 1,000 objects of a clockless device and those of the last 16 MB of the journal, oldest first."""
        ...

    async def boots(self, device: str) -> list[BootSpan]:
        """What a device with a clock sent, by boot."""
        ...

    async def recalled(self, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
        """`seen` and `boots` of each of these devices, in one go."""
        ...

    async def claim(self, objects: Sequence[tuple[Seen, bool]]) -> list[Claim | None]:
        """Of several ingests: who read these clockless objects first, this one (whose word is kept then) or another.

        Asked before anything of them is stored, and idempotent: the same journal and position is the same arrival. An
        object whose flag is false is only looked up; where nobody met it before, the answer is None.
        """
        ...

    async def gaps(self, device: str | None = None) -> list[Gap]:
        """Numbers that never came (of one device), by device and boot."""
        ...

    async def device_clocks(self) -> list[DeviceClock]:
        """How each device's clock was last measured."""
        ...

    async def device_statuses(self) -> list[DeviceStatus]:
        """The last word of every device."""
        ...

    async def counters(self) -> dict[str, int]:
        """All counters, e.g. {"duplicate:kl01": 3}."""
        ...
