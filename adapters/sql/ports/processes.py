"""How far one has read, who holds a name, what the clock says."""

from __future__ import annotations

from adapters.sql import cursors, leases, simclock
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.clock import SimTime


class SqlProcesses(Transactions):
    """Implements Cursors, Leases and SimClockRow."""

    # ------------------------------------------------------------ Cursors

    async def load_cursor(self, name: str) -> int:
        """0 where it was never saved."""
        with reading(self._engine) as c:
            return cursors.load(c, name)

    async def save_cursor(self, name: str, value: int) -> None:
        """Save it."""
        with writing(self._engine) as c:
            cursors.save(c, name, value)

    # ------------------------------------------------------------ Leases

    async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take or renew it for `ttl_s`; False while another holder has it."""
        with writing(self._engine) as c:
            return leases.take(c, name, holder, int(ttl_s * 1000), at=self._clock.now_ms())

    async def release_lease(self, name: str, holder: str) -> None:
        """Give it up, where `holder` still has it."""
        with writing(self._engine) as c:
            leases.release(c, name, holder)

    async def lease_holder(self, name: str) -> str:
        """Who holds it now; empty where nobody does."""
        with reading(self._engine) as c:
            return leases.holder(c, name, at=self._clock.now_ms())

    # ------------------------------------------------------------ SimClockRow

    async def load_clock(self) -> SimTime | None:
        """The saved row; None before the first start."""
        with reading(self._engine) as c:
            return simclock.load(c)

    async def save_clock(self, clock: SimTime) -> None:
        """Save it."""
        with writing(self._engine) as c:
            simclock.save(c, clock)
