"""What the forecasts are held to: floors that must be reached, aims that are hoped for; and the word for where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Leads = Mapping[int, tuple[float, float | None]]  # days (or hours) ahead → floor, aim

REACHED, AIM, MISSED, UNKNOWN = "reached", "reached, and the aim", "**MISSED**", "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """Of one set. Errors are held to be at most so large, skill at least; shares to lie within."""

    rmse: Leads = field(default_factory=dict)
    skill: Mapping[float, Leads] = field(default_factory=dict)  # by line, against logistic persistence
    above_zero: tuple[int, ...] = ()  # leads at which that skill's interval must lie above zero
    coverage: tuple[float, float] | None = None
    station_coverage: tuple[float, float] | None = None
    nse: Leads = field(default_factory=dict)  # at each station
    nse_excused: tuple[str, ...] = ()  # where the page says what limits it


SETS: Mapping[str, Goals] = {
    "mekong": Goals(
        rmse={1: (0.68, 0.62), 3: (1.32, 1.20), 7: (1.74, 1.55), 14: (1.88, 1.70)},
        skill={
            1.0: {1: (0.28, 0.36), 3: (0.36, 0.46), 7: (0.36, 0.46), 14: (0.08, 0.25)},
            4.0: {1: (0.32, 0.40), 3: (0.35, 0.45), 7: (0.35, 0.45), 14: (0.15, 0.27)},
        },
        coverage=(0.88, 0.94),
        station_coverage=(0.80, 0.97),
        nse={7: (0.45, None)},
        nse_excused=("benluc", "tanan"),
    ),
    "rhine_meuse": Goals(skill={150.0: {1: (0.22, None), 3: (0.30, None), 7: (0.33, None), 14: (0.22, None)}}, above_zero=(1, 3, 7, 14)),
    "california_delta": Goals(skill={4.0: {1: (0.22, None), 3: (0.22, None), 7: (0.18, None), 14: (0.08, None)}}, above_zero=(1, 3, 7, 14)),
    "delaware": Goals(skill={76.0: {1: (0.22, None), 3: (0.35, None), 7: (0.22, None), 14: (0.0, None)}}, above_zero=(1, 3, 7)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Stations that were never learned from: by which share RMSE lies below their own persistence, and the least share of truths in the 90 % interval."""

    below: Leads
    coverage: float


LEFT_OUT = LeftOut(below={1: (0.20, None), 3: (0.30, None), 7: (0.38, None)}, coverage=0.85)


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Hours promised below the limit: precision and share where the last day held both, share over all cases; by hours ahead."""

    precision: Leads
    offered: Leads
    offered_all: Leads


WINDOWS = Windows(
    precision={24: (0.95, None), 72: (0.94, None)}, offered={24: (0.42, None), 72: (0.31, None)}, offered_all={24: (0.78, None), 72: (0.65, None)}
)


TRAINING, SAYING = 300.0, 60.0  # seconds: 40 stations × 3 seasons; 1,000 stations × 14 days from a warm model


def at_least(value: float | None, floor: float, aim: float | None = None) -> str:
    """The word for a figure that should be high."""
    if value is None:
        return UNKNOWN
    if value < floor:
        return MISSED
    return AIM if aim is not None and value >= aim else REACHED


def at_most(value: float | None, floor: float, aim: float | None = None) -> str:
    """The word for a figure that should be low."""
    return at_least(None if value is None else -value, -floor, None if aim is None else -aim)


def within(value: float | None, low: float, high: float) -> str:
    """The word for one that should lie between two."""
    if value is None:
        return UNKNOWN
    return REACHED if low <= value <= high else MISSED
