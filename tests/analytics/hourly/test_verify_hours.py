"""The score of a model of hours: of models whose score is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_hours import PANEL, ZONE

from analytics.daily.dataset import Dataset, Rows
from analytics.daily.panel import Daily
from analytics.hourly.model import LEADS, HourModel, SaidHours
from analytics.hourly.panel import Floats, Hourly, Index
from analytics.hourly.verify import HourSkill, hourly_of_rows, skill_of_hours, windows_score
from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES

NAMES = ("a", "b", "fresh")
FROM = np.datetime64("2026-02-10")
DAYS = np.arange("2026-01-10", "2026-03-01", dtype="datetime64[D]")


def dataset() -> Dataset:
    """Two-hourly readings of 50 days at two tidal places and one that is always fresh; learned until 9 February."""
    value = PANEL.value.copy()
    value[:, 2] = np.where(np.isfinite(value[:, 1]), 0.1, np.nan)
    hour, station = np.nonzero(np.isfinite(value))
    time = ((PANEL.start + hour * HOUR_MS) // 1000).astype("datetime64[s]")
    order = np.lexsort((time, station))
    blank = np.full((len(DAYS), 3), np.nan)
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), blank)
    return Dataset(
        source="made.toml",
        name="made",
        unit="g/L",
        daily=Daily(zone=ZONE, days=DAYS, stations=NAMES, drivers={}, **parts),
        rows=Rows(station=station[order].astype(np.int64), time=time[order], value=value[hour, station][order]),
        lines=LINES,
        leads=(1,),
        train_until=FROM - 1,
        test_from=FROM,
        test_until=DAYS[-1],
        scored=NAMES,
        notes=(),
    )


SET = dataset()


@dataclass(frozen=True, slots=True)
class Seer:
    """Knows what comes: chances of `sure`, quantiles `spread` about the truth."""

    truth: Hourly
    sure: float = 1.0
    spread: float = 0.5

    def _came(self, hour: Index, station: Index, leads: Sequence[int]) -> Floats:
        value = np.concatenate((self.truth.value, np.zeros((100, len(NAMES)))))
        return np.nan_to_num(value[hour[:, None] + np.array(leads) - 1, station[:, None]])

    def say(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int] = LEADS) -> SaidHours:
        came = self._came(hour, station, leads)
        over = came[:, :, None] > np.array(LINES)
        return SaidHours(
            quantiles=came[:, :, None] + self.spread * np.linspace(-1, 1, len(QUANTILES)), p_gt=np.where(over, self.sure, 1 - self.sure).astype(np.float64)
        )

    def p_le(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int], limit: float) -> Floats:
        return np.where(self._came(hour, station, leads) <= limit, self.sure, 1 - self.sure)


def skill(**how: float) -> HourSkill:
    seer = Seer(hourly_of_rows(SET), **how)
    return skill_of_hours(SET, HourModel(name="seer", version="7", fit=lambda hourly: seer))


def test_hours_of_a_data_set() -> None:
    """Its rows are the panel they came from."""
    found = hourly_of_rows(SET)
    first = (found.start - PANEL.start) // HOUR_MS
    same = PANEL.value[first : first + len(found.value), :2]
    assert np.array_equal(found.value[:, :2], same, equal_nan=True)
    assert np.array_equal(found.begun[:, :2], same, equal_nan=True)


def test_who_knows_all_is_without_fault() -> None:
    """Every promise kept, every safe hour promised, no error; and the same hour yesterday is not."""
    found = skill()
    assert (found.model, found.version, found.name, found.learned_until, found.test_until) == ("seer", "7", "made", "2026-02-09", "2026-02-28")
    assert [(w.hours, w.cases) for w in found.windows] == [(24, "mixed"), (24, "all"), (72, "mixed"), (72, "all")]
    for w in found.windows:
        assert (w.precision, w.share) == (1.0, 1.0)
    assert found.windows[0].n < found.windows[1].n
    assert found.windows[0].yesterday_precision < 0.95
    for c in found.course:
        assert (c.brier, c.coverage90, c.coverage50) == (0.0, 1.0, 1.0)
        assert c.pinball == pytest.approx(2 * np.mean([0.05 * 0.5, 0.25 * 0.25, 0.0, 0.25 * 0.25, 0.05 * 0.5]))
        assert c.persistence_n == 0 or c.persistence_brier > 0
    assert found.course[0].persistence_n > 0


def test_who_is_not_sure_enough_promises_nothing() -> None:
    """At 0.89 no hour is promised; the chances are told as said and as they came."""
    found = skill(sure=0.89)
    for w in found.windows:
        assert np.isnan(w.precision)
        assert w.share == 0
    low = {(o.hours, o.low): o for o in found.low}
    assert low[1, 0.1].n > 0
    assert low[1, 0.1].said == pytest.approx(0.11)
    assert low[1, 0.1].came == 0
    assert low[6, 0.1].came == 0
    assert low[1, 0.0].n == 0
    assert found.course[0].brier == pytest.approx(0.11**2)


def test_only_scored_stations_and_days_count() -> None:
    """The always fresh station alone: every hour is safe and none is mixed; of one day only the hours of the next days that were read are left."""
    fresh = replace(SET, scored=("fresh",))
    hourly = hourly_of_rows(SET)
    mixed, every, *_ = windows_score(fresh, hourly, Seer(hourly))
    assert mixed.n == 0
    assert every.safe == 1
    assert every.yesterday_precision == 1
    days = int((SET.test_until - SET.test_from).astype(int))
    assert 11 * days <= every.n <= 12 * days
    short = replace(fresh, test_until=SET.test_from + 1)
    assert 10 <= windows_score(short, hourly, Seer(hourly))[3].n <= 12  # issued once, and its second day is after test_until
