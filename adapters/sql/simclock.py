"""The saved hands of a simulated clock: one row."""

from __future__ import annotations

from sqlalchemy import Connection, select

from adapters.sql import tables as t
from adapters.sql.engine import others, upsert
from core.clock import SimTime


def load(c: Connection) -> SimTime | None:
    """The saved row; None before the first start."""
    row = c.execute(select(t.sim_clock)).one_or_none()
    return None if row is None else SimTime(sim_ms=row.sim_ms, speed=row.speed, anchor_ms=row.anchor_ms)


def save(c: Connection, clock: SimTime) -> None:
    """Write the row over."""
    row = {"id": 1, "sim_ms": int(clock.sim_ms), "speed": float(clock.speed), "anchor_ms": int(clock.anchor_ms)}
    upsert(c, t.sim_clock, [row], key=["id"], update=others(t.sim_clock, ["id"]))
