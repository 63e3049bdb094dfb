"""How long an issue may be told of: the one rule of its age, for the verdict, hours to pump, pages, boards and warnings; and what water refutes. Pure.

Whoever says something of an issue asks `is_told`; whoever leaves it standing where nobody looks again (a page without a network, a row of a board)
takes it back after `told_until`.
"""

from __future__ import annotations

from core.clock import AHEAD_MS
from core.forecast import HOUR_MS, Forecast
from core.state import Latest

REFUTED = 0.02  # what an issue held for so unlikely, and was measured, takes from it what it says of the hours after


def told_until(issued_at: int, max_age_h: float) -> int:
    """The last instant [ms] at which an issue of that time may be told of; `max_age_h` as `risk.toml` has it, or `alerts.toml` for warnings."""
    return issued_at + round(max_age_h * HOUR_MS)


def is_told(issue: Forecast, now: int, max_age_h: float) -> bool:
    """Whether anything of it may be told at `now` [ms], be it of hours or days.

    Not where it took back what was said before it, for it says nothing; nor while its time has not come, but for what two clocks may differ by.
    """
    return bool(issue.leads) and issue.issued_at - AHEAD_MS <= now <= told_until(issue.issued_at, max_age_h)


def is_refuted(issue: Forecast, reading: Latest, limit: float) -> bool:
    """Whether the water was measured over `limit` [g/L], at a value that the issue all but ruled out for that hour, or for its first where it was made since.

    Salt that came against all that was known: nobody may read "to pump from 1 am" beside it. Of less than the limit it takes nothing, so that a higher one
    never gives fewer hours.
    """
    if not reading.value >= limit:
        return False
    first = min(issue.times, default=0)
    at = max(reading.time, first) if reading.time > first - HOUR_MS else reading.time
    return any(start <= at < start + HOUR_MS and issue.exceedance(i, reading.value) <= REFUTED for i, start in enumerate(issue.times))
