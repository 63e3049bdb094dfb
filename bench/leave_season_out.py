"""Water windows in a year that was never learned from: `python bench/leave_season_out.py DATASET.toml DATA [OTHERS.toml]`.

Each calendar year of the set in turn is left out of the training altogether; the model of hours learns from all other years, earlier and later, and is
asked of that one as in `bench/windows.py`. With OTHERS.toml of the places that DATASET.toml does not name as well: neither year nor place was learned from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from analytics.daily.dataset import Dataset
from analytics.history import local_times
from analytics.hourly.model import HourModel, hour_models
from analytics.hourly.panel import Hourly
from analytics.hourly.verify import SHIPPED, WindowScore, hourly_of_rows, windows_score
from canhman.backtesting import load, read_spec

LEARNED, LEFT_OUT = "learned", "left out"  # places


def left_out(found: Dataset, model: HourModel, others: Dataset | None = None) -> Iterator[tuple[int, str, tuple[WindowScore, ...]]]:
    """(year, which places, scores), year by year; those of `others` are LEFT_OUT where `found` does not name them."""
    hourly = hourly_of_rows(found)
    for year in sorted({day.year for day in found.daily.days.tolist()}):
        fitted = model.fit(without(hourly, year))
        yield year, LEARNED, windows_score(_only(found, year, found.scored), hourly, fitted)
        if others is not None:
            names = tuple(name for name in others.scored if name not in found.daily.stations)
            yield year, LEFT_OUT, windows_score(_only(others, year, names), hourly_of_rows(others), fitted)


def without(hourly: Hourly, year: int) -> Hourly:
    """As if nothing had been read in that local year."""
    begin, end = (local_times(hourly.zone, date(y, 1, 1), 1)[0] for y in (year, year + 1))
    outside = ((hourly.times < begin) | (hourly.times >= end))[:, None]
    return replace(hourly, value=np.where(outside, hourly.value, np.nan), begun=np.where(outside, hourly.begun, np.nan))


def _only(found: Dataset, year: int, names: tuple[str, ...]) -> Dataset:
    """That year of these places is the test."""
    first, last = np.datetime64(date(year, 1, 1)), np.datetime64(date(year, 12, 31))
    return replace(found, test_from=first, test_until=min(last, found.daily.days[-1]), scored=names)


def main(words: list[str]) -> None:
    """One line of each year, kind of places, hours ahead and kind of cases."""
    data = Path(words[1])
    sets = [load(read_spec(file), file, data) for file in map(Path, (words[0], *words[2:3]))]
    print("year places    hours cases       n  safe   precision share | same hour yesterday: precision share")
    for year, places, scores in left_out(sets[0], hour_models()[SHIPPED], *sets[1:]):
        for w in scores:
            print(
                f"{year} {places:<9} {w.hours:>2} h  {w.cases:<6}{w.n:>7}  {w.safe:.3f}  {w.precision:.3f}    {w.share:.3f} | "
                f"{w.yesterday_precision:.3f} {w.yesterday_share:.3f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
