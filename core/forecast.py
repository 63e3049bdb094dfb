"""A forecast as it was issued: never changed afterwards, so that it can be scored in public."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from core.bands import LINES

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MEDIAN = QUANTILES.index(0.5)
TARGETS = ("day_max", "day_min", "hour")  # a local day's maximum and minimum, an hour's maximum
HOUR_MS = 3_600_000
HINDCAST = "+hindcast"  # ends the version of what was issued as of a past instant: the record does not score it
WITHDRAWN = "+withdrawn"  # ends the version of an issue without leads: what was said before it is taken back, and nothing is said instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What moved a forecast: `code` is one of REASONS; `name` the driver's, of code `driver`.

    `effect` [g/L]: how much higher the expected value at `lead` is than had it not been known; below 0 it speaks for fresher water.
    """

    code: str
    name: str = ""
    effect: float
    lead: int


# tide: springs and neaps, and the station's own answer to them; course: how it went in the last days; day: how it went within the last day;
# season: the time of year; driver: another series; persistence: it is said because it was so a tidal day ago
REASONS = ("tide", "course", "day", "season", "driver", "persistence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One issue of one model for one target at a point of a station, in g/L of `water.salinity`.

    `leads`, `times` (start of each interval [ms]), `quantiles` (per lead: one value per `QUANTILES` [g/L], rising) and
    `p_gt` (per lead: P(S > line) for each of `core.bands.LINES`, falling) have one entry per lead, in rising order.
    `data_until` is the newest received_at used [ms], `inputs` a hash of what the model saw, `version` the model's.
    `reasons` are what moved it most, the strongest first; `missing` the drivers by name that it would have used and that were silent.
    `id` is the row's in the database, 0 before it is there.
    """

    id: int = 0
    org: str
    station: str
    point: str
    target: str
    model: str
    version: str
    issued_at: int
    data_until: int
    inputs: str
    leads: tuple[int, ...]
    times: tuple[int, ...]
    quantiles: tuple[tuple[float, ...], ...]
    p_gt: tuple[tuple[float, ...], ...]
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def hindcast(self) -> bool:
        """Whether it was made afterwards, as of a past instant: no forecast that could have been believed."""
        return self.version.endswith(HINDCAST)

    def exceedance(self, i: int, limit: float) -> float:
        """P(S > `limit`) of the i-th lead; NaN where the forecast is not sound there.

        A line of `LINES` gives the probability as stated. Between what is stated (lines and quantiles) it is linear in S;
        above the highest it stays at that one's probability: rather too high than too low.
        """
        return self.exceedances(i, (limit,))[0]

    def exceedances(self, i: int, limits: Sequence[float]) -> list[float]:
        """The same at each of `limits`."""
        chances, values_at = self.p_gt[i], self.quantiles[i]
        if not (all(map(math.isfinite, values_at)) and all(0.0 <= p <= 1.0 for p in chances)):  # no comparison holds for NaN
            return [math.nan] * len(limits)
        stated = dict(zip(LINES, chances, strict=True))
        if all(limit in stated for limit in limits):
            return [stated[limit] for limit in limits]
        by_quantile = ((value, 1.0 - q) for q, value in zip(QUANTILES, values_at, strict=True))
        points = sorted([(0.0, 1.0), *stated.items(), *by_quantile], key=lambda point: (point[0], -point[1]))
        values = [x for x, _ in points]
        falling = list(accumulate((p for _, p in points), min))
        return [stated[limit] if limit in stated else _between(values, falling, limit) for limit in limits]


def _between(values: list[float], falling: list[float], limit: float) -> float:
    above = bisect_right(values, limit)
    if above == 0:
        return 1.0
    if above == len(values):
        return falling[-1]
    low, high = values[above - 1], values[above]
    share = (limit - low) / (high - low)
    return falling[above - 1] + share * (falling[above] - falling[above - 1])
