"""A station that was never learned from: `python bench/leave_station_out.py DATASET.toml DATA [MODEL]` (ensemble).

Each scored station in turn is left out of the training altogether; the model learns from the others up to train_until, and is asked of the one as in
`canhman backtest`. Prints RMSE beside the station's own persistence, and how often the 90 % interval held, for 1, 3 and 7 days ahead.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from analytics.daily.model import LEVELS, day_models
from analytics.daily.panel import Pairs
from canhman.backtesting import load, read_spec

LEADS = (1, 3, 7)


def main(file: Path, data: Path, name: str) -> None:
    """One line for each station and lead, then all together."""
    found = load(read_spec(file), file, data)
    daily, model = found.daily, day_models()[name]
    learned = daily.first(int((daily.days <= found.train_until).sum()))
    every: dict[int, list[tuple[float, float, float, int]]] = {lead: [] for lead in LEADS}
    for left, station in enumerate(daily.stations):
        if station not in found.scored:
            continue
        others = np.array([i for i in range(len(daily.stations)) if i != left], dtype=np.intp)
        fitted = model.fit(learned.only(others), LEADS, found.lines)
        for lead in LEADS:
            pairs = Pairs.of(daily, lead)
            issued, valid = daily.days[pairs.day], daily.days[pairs.day + lead]
            pairs = pairs.where((pairs.station == left) & (issued >= found.train_until) & (valid >= found.test_from) & (valid <= found.test_until))
            said, truth = fitted.say(daily, pairs.day, pairs.station)[lead], pairs.truth(daily)
            spoken = np.isfinite(said.point)
            own = ((said.point - truth)[spoken] ** 2).sum()
            other = ((daily.target[pairs.day, pairs.station] - truth)[spoken] ** 2).sum()
            low, high = (said.quantiles[:, LEVELS.index(q)] for q in (0.05, 0.95))
            held = ((truth >= low) & (truth <= high))[spoken].sum()
            every[lead].append((float(own), float(other), float(held), int(spoken.sum())))
            tell(station, lead, *every[lead][-1])
    for lead in LEADS:
        tell("*", lead, *(float(x) for x in np.sum(every[lead], axis=0)))


def tell(station: str, lead: int, own: float, other: float, held: float, n: float) -> None:
    """One line."""
    rmse, persistence = (own / n) ** 0.5, (other / n) ** 0.5
    print(
        f"{station:<12} {lead} d: RMSE {rmse:.3f}, persistence {persistence:.3f}, {1 - rmse / persistence:+.0%} below it; 90 % interval held {held / n:.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "ensemble")
