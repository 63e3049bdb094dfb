"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Sequence

LEAST = -99
Ends = Sequence[float | None]  # value, lower and upper end of the 95 % interval


def number(value: float | None, digits: int = 2) -> str:
    """–0.00 is no number; a skill far below 0 is far below 0."""
    if value is not None and value < LEAST:
        return f"< {LEAST}"
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def span(found: Ends, digits: int = 2) -> str:
    """Lower to upper end."""
    return f"{number(found[1], digits)} to {number(found[2], digits)}"


def with_span(found: Ends, digits: int = 2) -> str:
    """Value and interval."""
    return f"{number(found[0], digits)} ({span(found, digits)})"


def percent(value: float | None, digits: int = 0) -> str:
    """In hundredths."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def percent_span(found: Ends) -> str:
    """Value and interval in hundredths."""
    return f"{percent(found[0])} ({percent(found[1])[:-2]} to {percent(found[2])})"


def tenths(value: float | None) -> str:
    """In 10 parts, as chances are told."""
    return "–" if value is None else f"{10 * value:.1f} in 10"


def days(lead: int) -> str:
    """1 day, 3 days."""
    return "1 day" if lead == 1 else f"{lead} days"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
