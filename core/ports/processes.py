"""The database: what processes tell each other: how far one has read, who holds a name, what the clock says."""

from __future__ import annotations

from typing import Protocol

from core.clock import SimTime


class Cursors(Protocol):
    """How far a watcher has read (`changed`, ids of forecasts): a name and a number."""

    async def load_cursor(self, name: str) -> int:
        """0 where it was never saved."""
        ...

    async def save_cursor(self, name: str, value: int) -> None:
        """Save it."""
        ...


class Leases(Protocol):
    """Of all processes that share a database at most one holds a name, until the time it asked for is over."""

    async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take or renew it for `ttl_s` from now on; False while another holder has it. One who dies holds it for `ttl_s` at most.

        `holder` is the same for whoever may take over at once (the machine and its folder), and is shown to people.
        """
        ...

    async def release_lease(self, name: str, holder: str) -> None:
        """Give it up, where `holder` still has it."""
        ...

    async def lease_holder(self, name: str) -> str:
        """Who holds it now; empty where nobody does."""
        ...


class SimClockRow(Protocol):
    """The saved hands of a simulated clock (`CANHMAN_CLOCK=sim`)."""

    async def load_clock(self) -> SimTime | None:
        """The saved row; None before the first start."""
        ...

    async def save_clock(self, clock: SimTime) -> None:
        """Save it (each second, by the one process that owns the clock)."""
        ...
