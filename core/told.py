"""How long an issue may be told of: the one rule of its age, for the verdict, hours to pump, pages, boards and warnings. Pure.

Whoever says something of an issue asks `is_told`; whoever leaves it standing where nobody looks again (a page without a network, a row of a board)
takes it back after `told_until`.
"""

from __future__ import annotations

from core.clock import AHEAD_MS
from core.forecast import HOUR_MS, Forecast


def told_until(issued_at: int, max_age_h: float) -> int:
    """The last instant [ms] at which an issue of that time may be told of; `max_age_h` as `risk.toml` has it, or `alerts.toml` for warnings."""
    return issued_at + round(max_age_h * HOUR_MS)


def is_told(issue: Forecast, now: int, max_age_h: float) -> bool:
    """Whether anything of it may be told at `now` [ms], be it of hours or days.

    Not where it took back what was said before it, for it says nothing; nor while its time has not come, but for what two clocks may differ by.
    """
    return bool(issue.leads) and issue.issued_at - AHEAD_MS <= now <= told_until(issue.issued_at, max_age_h)
