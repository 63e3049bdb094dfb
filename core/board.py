"""What a board of Grafana shows of a point beside its readings: the newest salinity, and until when it may be believed.

InfluxQL compares times with now() and nothing else, and how old a reading may be differs from station to station. So the
row stands at the instant *until* which it holds: one query for `time > now() AND "fresh" = 1` finds every value that is
fresh and good now, and what nobody renews leaves it by itself. Why: docs/decisions/0018.
"""

from __future__ import annotations

from dataclasses import dataclass

MEASUREMENT = "latest"


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
