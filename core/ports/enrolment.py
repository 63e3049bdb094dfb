"""The database: devices that wait for approval."""

from __future__ import annotations

from typing import Protocol

from core.state import Waiting, WaitingDevice


class Enrolment(Protocol):
    """Devices that wait for approval, and what of theirs is kept (in the journal; here only where it stands)."""

    async def waiting_devices(self) -> list[WaitingDevice]:
        """All that wait, by org and device."""
        ...

    async def waiting(self, device: str, journal: str, *, limit: int = 1000) -> list[Waiting]:
        """The kept messages of one device in one journal, oldest first."""
        ...

    async def forget_waiting(self, device: str, *, actor: str) -> int:
        """Reject: drop what is kept of it (audited); returns how many messages."""
        ...
