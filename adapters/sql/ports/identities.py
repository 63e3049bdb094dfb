"""How a message that comes again is recognised, and what is known of its sender."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql import identities, shared
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.state import BootSpan, Claim, DeviceClock, DeviceStatus, Gap, Seen


class SqlIdentities(Transactions):
    """Implements Identities."""

    async def seen(self, device: str) -> list[Seen]:
        """The last 1,000 objects of a clockless device, oldest first."""
        with reading(self._engine) as c:
            return identities.seen(c, device)

    async def boots(self, device: str) -> list[BootSpan]:
        """What a device with a clock sent, by boot (its last 1,000 boots)."""
        with reading(self._engine) as c:
            return identities.boots(c, device)

    async def recalled(self, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
        """`seen` and `boots` of each of these devices."""
        with reading(self._engine) as c:
            return identities.recalled(c, devices)

    async def claim(self, objects: Sequence[tuple[Seen, bool]]) -> list[Claim | None]:
        """Who read these clockless objects first, where several ingests share the devices."""
        with writing(self._engine) as c:
            return shared.claim(c, objects)

    async def gaps(self, device: str | None = None) -> list[Gap]:
        """Numbers that never came (of one device), by device and boot."""
        with reading(self._engine) as c:
            return identities.gaps(c, device)

    async def device_clocks(self) -> list[DeviceClock]:
        """How each device's clock was last measured."""
        with reading(self._engine) as c:
            return identities.device_clocks(c)

    async def device_statuses(self) -> list[DeviceStatus]:
        """The last word of every device."""
        with reading(self._engine) as c:
            return identities.device_statuses(c)

    async def counters(self) -> dict[str, int]:
        """All counters."""
        with reading(self._engine) as c:
            return identities.counters(c)
