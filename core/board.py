"""What a board of Grafana shows of a point beside its readings: the newest salinity and until when it may be believed, and what is forecast.

InfluxQL compares times with now() and nothing else, and how old a reading may be differs from station to station. So the
row stands at the instant *until* which it holds: one query for `time > now() AND "fresh" = 1` finds every value that is
fresh and good now, and what nobody renews leaves it by itself. Why: docs/decisions/0018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MEASUREMENT = "latest"
LATEST = "latest"  # the tag `lead` of what the newest issue says
DAY_LEADS = (1, 3, 7, 14)  # of days also kept by their lead, so that a board can show what was said so many days before


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """The next hours in which water may be taken, as `core.window` gives them: `start` ≤ t < `end` [ms], the chance in full tenths, by `limit` [g/L].

    All 0: there are none.
    """

    start: int = 0
    end: int = 0
    of_ten: int = 0
    limit: float = 0.0


NO_PUMP = Pump()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One point's row of the measurement `latest` at `time` [ms].

    `fresh` is true only where the verdict would believe the value until `time`; a row that was superseded is written again
    with false. `salinity` [g/L] is the newest judged value, None where there is none; `seen` [ms] and `flag` are those of the
    newest reading; `is_verdict_point` tells the one point of a station that its verdict is read at. `pump` is none where the row
    is not fresh, and where the forecast grows too old before the row ends.
    """

    org: str
    station: str
    point: str
    time: int
    fresh: bool
    seen: int
    flag: int
    salinity: float | None
    is_verdict_point: bool
    name: str
    waterway: str = ""
    pump: Pump = NO_PUMP


def forecast_rows(target: str, leads: Sequence[int], times: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The rows of `forecast` that an issue has: the tag `lead`, and the start of the interval [ms]."""
    for lead, time in zip(leads, times, strict=True):
        yield LATEST, time
        if target != "hour" and lead in DAY_LEADS:
            yield f"d{lead:02d}", time


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """Rows of `forecast` that stand no more, as `forecast_rows` names them: a board shows none of them, whatever numbers stand in them."""

    org: str
    station: str
    point: str
    target: str
    rows: tuple[tuple[str, int], ...]
