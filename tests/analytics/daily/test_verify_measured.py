"""The references on the measured Mekong file: what is known of them for ten stations, trained on 2020–21, tested on 2022."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Daily, Pairs
from analytics.daily.references import fit_references
from analytics.daily.verify import Score, score

TEN = ("benluc", "caihop", "cauquan", "daingai", "hungmy", "langthe", "tanan", "trakha", "trande", "travinh")
LINES = (1.0, 4.0)
TEST_FROM = np.datetime64("2022-01-01")


@pytest.fixture(scope="module")
def mekong(shared_dir: Path) -> Daily:
    """Highest value of each local day (the file's times are local)."""
    path = shared_dir / "data" / "mekong" / "salinity_2h_2020_2022.csv.gz"
    if not path.exists():
        pytest.skip("the measured Mekong file is not here")
    highest: defaultdict[tuple[np.datetime64, int], float] = defaultdict(lambda: -np.inf)
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            if row["station"] in TEN:
                key = (np.datetime64(row["time_local"][:10]), TEN.index(row["station"]))
                highest[key] = max(highest[key], float(row["salinity_g_L"]))
    first = min(day for day, _ in highest)
    days = np.arange(first, max(day for day, _ in highest) + 1)
    values = np.full((len(days), len(TEN)), np.nan)
    for (day, station), value in highest.items():
        values[int((day - first).astype(int)), station] = value
    same = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), values)
    return Daily(zone="Asia/Ho_Chi_Minh", days=days, stations=TEN, drivers={}, **same)


def scored(mekong: Daily, lead: int) -> list[Score]:
    """Persistence and logistic persistence said as a forecast."""
    references = fit_references(mekong.first(int((mekong.days < TEST_FROM).sum())), np.ones(len(TEN), dtype=bool), lead, LINES)
    pairs = Pairs.of(mekong, lead)
    pairs = pairs.where(mekong.days[pairs.day] >= TEST_FROM)
    stated = references.say(mekong, pairs)
    assert not references.whole_year
    return score(
        mekong,
        pairs,
        Said(point=stated.persistence, quantiles=np.repeat(stated.persistence[:, None], len(LEVELS), axis=1), p_gt=stated.p_logistic),
        LINES,
        references,
    )


@pytest.mark.parametrize(("lead", "rmse"), [(1, 0.90), (3, 2.04), (7, 3.08), (14, 2.29)])
def test_error_of_persistence_as_known(mekong: Daily, lead: int, rmse: float) -> None:
    """RMSE .90, 2.04, 3.08, 2.29 g/L at 1, 3, 7, 14 days: after a week the tide is at its opposite, after two it is back."""
    pooled = scored(mekong, lead)[0]
    assert pooled.rmse == pooled.rmse_persistence == pytest.approx(rmse, abs=0.006)
    assert pooled.crps is not None  # the CRPS of a value is its mean absolute error
    assert pooled.crps < pooled.rmse


@pytest.mark.parametrize("lead", [1, 3, 7, 14])
def test_logistic_persistence_is_the_harder_bar(mekong: Daily, lead: int) -> None:
    """Against persistence as 0 or 1, and against climatology at a day, it has skill at both lines."""
    for one in scored(mekong, lead)[1:3]:
        assert one.bss_persistence is not None
        assert one.bss_climatology is not None
        assert one.bss_persistence > 0.1
        assert lead != 1 or one.bss_climatology > 0.4
