"""A station that was never learned from: `python bench/leave_station_out.py DATASET.toml DATA [MODEL]` (ensemble).

Each scored station in turn is left out of the training altogether; the model learns from the others up to train_until, and is asked of the one as in
`canhman backtest`. Prints RMSE beside the station's own persistence, and how often the 90 % interval held, for 1, 3 and 7 days ahead.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.daily.dataset import Dataset
from analytics.daily.model import LEVELS, DayModel, day_models
from analytics.daily.panel import Floats, Index, Pairs
from canhman.backtesting import load, read_spec

LEADS = (1, 3, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Forecasts (k,) at one station and lead: index of the issue's day, squared error of the model and of persistence, did the 90 % interval hold?"""

    station: str
    lead: int
    day: Index
    own: Floats
    persistence: Floats
    held: NDArray[np.bool_]


def left_out(found: Dataset, model: DayModel, station: str, leads: Sequence[int] = LEADS) -> list[Left]:
    """Learn from every other station of the set, and ask of this one."""
    daily, left = found.daily, found.daily.stations.index(station)
    learned = daily.first(int((daily.days <= found.train_until).sum()))
    others = np.array([i for i in range(len(daily.stations)) if i != left], dtype=np.intp)
    fitted = model.fit(learned.only(others), leads, found.lines)
    told = []
    for lead in leads:
        pairs = Pairs.of(daily, lead)
        issued, valid = daily.days[pairs.day], daily.days[pairs.day + lead]
        pairs = pairs.where((pairs.station == left) & (issued >= found.train_until) & (valid >= found.test_from) & (valid <= found.test_until))
        said = fitted.say(daily, pairs.day, pairs.station)[lead]
        spoken = np.isfinite(said.point)
        pairs, truth = pairs.where(spoken), pairs.truth(daily)[spoken]
        low, high = (said.quantiles[spoken, LEVELS.index(q)] for q in (0.05, 0.95))
        own, persistence = said.point[spoken] - truth, daily.target[pairs.day, pairs.station] - truth
        told.append(Left(station=station, lead=lead, day=pairs.day, own=own**2, persistence=persistence**2, held=(truth >= low) & (truth <= high)))
    return told


def together(found: Sequence[Left], lead: int) -> Left:
    """Several stations as one."""
    some = [one for one in found if one.lead == lead]
    joined = {key: np.concatenate([getattr(one, key) for one in some]) for key in ("day", "own", "persistence", "held")}
    return Left(station="*", lead=lead, **joined)


def main(file: Path, data: Path, name: str) -> None:
    """One line for each station and lead, then all together."""
    found = load(read_spec(file), file, data)
    every = []
    for station in found.scored:
        for one in left_out(found, day_models()[name], station):
            every.append(one)
            tell(one)
    for lead in LEADS:
        tell(together(every, lead))


def tell(one: Left) -> None:
    """One line."""
    if not len(one.day):
        print(f"{one.station:<12} {one.lead} d: nothing is said")
        return
    rmse, persistence = one.own.mean() ** 0.5, one.persistence.mean() ** 0.5
    line = f"{one.station:<12} {one.lead} d: RMSE {rmse:.3f}, persistence {persistence:.3f}, {1 - rmse / persistence:+.0%} below it; "
    print(f"{line}90 % interval held {one.held.mean():.0%}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "ensemble")
