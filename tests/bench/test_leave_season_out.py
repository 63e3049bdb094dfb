"""A year that is left out is learned from nowhere, and is asked of where it was read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analytics.daily.dataset import Dataset, Rows
from analytics.daily.panel import Daily
from analytics.hourly.model import FittedHours, HourModel
from analytics.hourly.panel import Hourly
from bench.leave_season_out import LEARNED, LEFT_OUT, left_out
from core.bands import LINES

ZONE = "Asia/Ho_Chi_Minh"
NAMES = ("a", "b")
DAYS = np.arange("2020-12-25", "2021-01-08", dtype="datetime64[D]")  # a week on each side of the new year
LOCAL = np.arange(DAYS[0].astype("datetime64[h]"), (DAYS[-1] + 1).astype("datetime64[h]"), np.timedelta64(2, "h"))
NEW_YEAR = np.datetime64("2021-01-01T00")


class Yesterday:
    """Sure of what was read a day before."""

    def p_le(self, hourly: Hourly, hour: np.ndarray, station: np.ndarray, leads: tuple[int, ...], limit: float) -> np.ndarray:
        lead = np.array(leads)
        at = hour[:, None] + lead - 1 - 24 * ((lead + 23) // 24)
        return np.where(at >= 0, hourly.value[np.maximum(at, 0), station[:, None]] <= limit, np.nan)


def dataset(names: tuple[str, ...] = NAMES) -> Dataset:
    """0.5 and 1.5 g/L by turns of two hours in 2020, shifted by two hours in 2021."""
    turns = (np.arange(len(LOCAL)) + (LOCAL >= NEW_YEAR)) % 2 + 0.5
    time, station = np.tile(LOCAL - np.timedelta64(7, "h"), len(names)).astype("datetime64[s]"), np.repeat(np.arange(len(names)), len(LOCAL))
    blank = np.full((len(DAYS), len(names)), np.nan)
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), blank)
    return Dataset(
        source="made.toml",
        name="made",
        unit="g/L",
        daily=Daily(zone=ZONE, days=DAYS, stations=names, drivers={}, **parts),
        rows=Rows(station=station, time=time, value=np.tile(turns, len(names))),
        lines=LINES,
        leads=(1,),
        train_until=DAYS[0],
        test_from=DAYS[1],
        test_until=DAYS[-1],
        scored=names,
        notes=(),
    )


def learned(found: Dataset) -> list[Hourly]:
    """What the model is shown to learn from, year by year."""
    shown: list[Hourly] = []

    def fit(hourly: Hourly) -> FittedHours:
        shown.append(hourly)
        return Yesterday()  # type: ignore[return-value]  # windows ask for no more

    list(left_out(found, HourModel(name="seen", version="1", fit=fit)))
    return shown


def test_nothing_of_a_year_left_out_is_learned() -> None:
    """Up to local midnight, at every place; all of the other year is."""
    of_2020, of_2021 = learned(dataset())
    first = (NEW_YEAR - np.timedelta64(7, "h")).astype("datetime64[ms]").astype(np.int64)
    late = of_2020.times >= first
    for hourly, kept in ((of_2020, late), (of_2021, ~late)):
        assert np.isnan(hourly.value[~kept]).all()
        assert np.isnan(hourly.begun[~kept]).all()
        assert np.isfinite(hourly.value[kept]).sum() == len(NAMES) * 7 * 12


def test_each_year_is_asked_at_both_kinds_of_places() -> None:
    """A place that was learned from is not asked again among the others; of the same turns each day all is right."""
    model = HourModel(name="yesterday", version="1", fit=lambda hourly: Yesterday())  # type: ignore[arg-type,return-value]  # windows ask for no more
    found = list(left_out(dataset(), model, dataset((*NAMES, "c"))))
    assert [(year, places) for year, places, _ in found] == [(y, p) for y in (2020, 2021) for p in (LEARNED, LEFT_OUT)]
    for (_, _, ten), (_, _, one) in zip(found[::2], found[1::2], strict=True):
        assert [w.n for w in ten] == [2 * w.n for w in one]
    last = found[2][2][0]
    assert (last.hours, last.cases, last.share) == (24, "mixed", 1.0)
    alone = replace(dataset(), scored=("b",))
    assert [w.n for w in next(iter(left_out(alone, model)))[2]] == [w.n for w in found[1][2]]
