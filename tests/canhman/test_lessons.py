"""What there is to learn: of the store, of a dataset, and which days a candidate is asked about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_sets import DRIVERS, HEAD, LONG, STATIONS, read, season, without
from servers.training_world import DAY, END, HOUR, course

from analytics.daily.dataset import Dataset
from analytics.forecast_config import Training
from analytics.history import History
from analytics.training_hours import HourExam
from canhman.lessons import Lesson, lesson
from canhman.training_data import Known, dataset_daily, has_one_value_a_day, holds_salinity
from core.errors import ConfigError

RULES = Training()
TARGETS = ("day_max", "day_min", "hour")


def known(days: int, *, at: int = END) -> Known:
    """What a store holds of two stations after so many days."""
    time = np.arange(at - days * DAY, at, 2 * HOUR, dtype=np.int64)
    histories = tuple(History(station=name, point="main", zone="Asia/Ho_Chi_Minh", time=time, value=course(time, n)) for n, name in enumerate(("an", "binh")))
    return Known(at=at, histories=histories if days else (), drivers=())


def learned(found: Lesson | str) -> Lesson:
    assert isinstance(found, Lesson), found
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two hundred days of 2021 at three stations, with discharge and level; learned from until April."""
    folder = tmp_path_factory.mktemp("made")
    season().write(folder)
    return read(folder, HEAD + LONG + DRIVERS)


@pytest.mark.parametrize("target", TARGETS)
def test_of_the_store_all_but_the_last_days_are_learned_from(target: str) -> None:
    """Seventy days: the last 17 are asked about, by whoever has not seen them."""
    found = learned(lesson(known(70), target, None, RULES))
    card = found.draft
    assert (card.source, card.stations, card.data_from) == ("store", ("an/main", "binh/main"), "2025-12-22")
    asked = found.exam("")
    assert card.data_until <= "2026-02-13" <= asked.since <= "2026-02-14"
    assert asked.until in ("2026-03-01", "2026-03-02")
    assert len(asked.came) == len(asked.near) > 100
    assert learned(lesson(known(70), target, None, RULES)).draft == card


@pytest.mark.parametrize("target", TARGETS)
def test_days_the_one_that_speaks_has_learned_from_are_not_asked_about(target: str) -> None:
    """Where it learned further than the candidate, the exam begins behind that."""
    found = learned(lesson(known(70), target, None, RULES))
    assert found.exam("2026-02-20").since > "2026-02-20"
    assert found.exam("2026-01-05").since == found.exam("").since
    assert len(found.exam("2026-03-05").came) == 0


@pytest.mark.parametrize("target", TARGETS)
def test_the_card_tells_other_values_apart(target: str) -> None:
    """A value that was corrected makes another digest; a day without readings more, or what is held out, does not."""
    one = known(70)

    def inputs(at: int, *changed: int) -> str:
        histories = [replace(h, value=np.where(np.isin(np.arange(len(h.time)), changed), 30.0, h.value)) for h in one.histories]
        return learned(lesson(replace(one, at=at, histories=tuple(histories)), target, None, RULES)).draft.inputs

    assert len(inputs(END)) == 12
    assert inputs(END) == inputs(END + DAY) == inputs(END, 835)
    assert len({inputs(END), inputs(END, 100), inputs(END, 101)}) == 3


@pytest.mark.parametrize("target", TARGETS)
def test_a_young_store_has_nothing_to_learn(target: str) -> None:
    """Not even a reading, or too few days: in words."""
    for days in (0, 20):
        found = lesson(known(days), target, None, RULES)
        assert found == f"nothing is learned: readings of {days} days are there, 21 are needed (least_days in forecast.toml)"


@pytest.mark.parametrize("target", TARGETS)
def test_of_a_dataset_its_training_days_are_learned_from(target: str, made: Dataset) -> None:
    """Asked about its own test days where the store is young, else about the store's."""
    for store, since in ((known(0), "2021-05-01"), (known(70), "2026-02-13")):
        found = learned(lesson(store, target, made, RULES))
        assert target == "hour" or set(found.uses(object()).unused) == set(found.draft.drivers) == {"discharge", "level"}
        assert (found.draft.source, found.draft.stations) == ("made", tuple(f"{name}/main" for name in STATIONS))
        assert found.draft.data_until == "2021-04-30"
        assert since <= found.exam("").since <= str(np.datetime64(since) + 3)


@pytest.mark.parametrize("target", TARGETS)
def test_a_dataset_that_reaches_into_the_days_held_out_leaves_the_later_ones(target: str, tmp_path: Path) -> None:
    """Learned until 20 February: of the store's days, which may be the same ones, only those after it are asked about."""
    season(80, start="2025-12-10").write(tmp_path)
    found = read(tmp_path, without(HEAD + LONG, {"2021-04-30": "2026-02-20", "2021-05-01": "2026-02-21"}))
    one = learned(lesson(known(70), target, found, RULES))
    assert one.draft.data_until == "2026-02-20"
    assert "2026-02-20" < one.exam("").since <= "2026-02-22"


def test_a_station_that_begins_after_the_last_test_day_shifts_no_other(tmp_path: Path) -> None:
    """The hours everyone is asked about end with the test days, and persistence answers of each station from its own readings."""
    rows = [f"{np.datetime64('2021-01-01T00') + 2 * n},{name},{level}" for n in range(100 * 12) for name, level in (("b", 1), ("c", 5))]
    rows += [f"{np.datetime64('2021-04-11T00') + 2 * n},a,9" for n in range(20 * 12)]
    (tmp_path / "salt.csv").write_text("\n".join(["time,station,salinity", *rows]) + "\n", "utf-8")
    head = without(HEAD, {"2021-04-30": "2021-03-01", "2021-05-01": "2021-03-02\ntest_until = 2021-04-05"})
    found = read(tmp_path, head + without(LONG, {"salinity.csv": "salt.csv"}))
    one = learned(lesson(known(0), "hour", found, RULES))
    asked = one.exam("")
    assert isinstance(asked, HourExam)
    assert [h.station for h in asked.histories] == [name.removesuffix("/main") for name in asked.hourly.stations] == ["b", "c"]
    assert asked.until <= "2021-04-06"
    said = asked.persistence().quantiles[:, 2]
    assert np.array_equal(said[np.isfinite(said)], asked.came[np.isfinite(said)])


@pytest.mark.parametrize(("unit", "taken"), [("g/l", True), ("G/L", True), ("g·L-1", True), ("gram/m3", False), ("mg/L", False), ("kg", False)])
def test_salinity_is_taken_in_every_spelling_that_a_backtest_takes(unit: str, taken: bool, made: Dataset) -> None:
    """The unit counts, not how it is written; another unit is refused by its name."""
    told = replace(made, unit=unit)
    if taken:
        assert holds_salinity(told) is told
    else:
        with pytest.raises(ConfigError, match=f"its unit is {unit}"):
            holds_salinity(told)


def test_a_datasets_days_are_those_of_operation(made: Dataset) -> None:
    """From 05:00 to 05:00, with the calendar day as truth; a driver's day is that of its date, and none stands after the last test day."""
    daily = dataset_daily(made, "day_max")
    assert daily.truth is not None
    for day in (40, 90):
        there = int(np.flatnonzero(made.daily.days == daily.days[day])[0])
        assert daily.drivers["discharge"][day, 0] == made.daily.drivers["discharge"][there, 0]
        if np.isfinite(daily.truth[day, 0]):
            assert daily.truth[day, 0] == made.daily.target[there, 0]
    assert daily.days[-1] <= made.test_until
    assert set(daily.drivers) == {"discharge", "level"}


def test_one_value_a_day_stands_for_its_day(tmp_path: Path) -> None:
    """No hour is learned of it, and its days are calendar days: the value may be of any hour."""
    rows = "\n".join(f"2021-{month:02d}-{day:02d},a,{day / 10}" for month in (1, 2, 3, 4, 5) for day in range(1, 29))
    (tmp_path / "salinity.csv").write_text(f"time,station,salinity\n{rows}\n")
    found = read(tmp_path, HEAD + LONG)
    assert "holds one value a day" in str(lesson(known(0), "hour", found, RULES))
    own = learned(lesson(known(0), "day_max", found, RULES))
    assert (own.draft.stations, own.draft.data_until) == (("a",), "2021-04-28")
    assert dataset_daily(found, "day_max").truth is None


def test_fresh_water_read_every_two_hours_has_a_course(tmp_path: Path) -> None:
    """That its readings are alike within a day does not make them one value a day; a few days that were read twice do not make a course."""
    two_hourly = "\n".join(f"{np.datetime64('2021-01-01T00') + 2 * n},a,0.1" for n in range(150 * 12))
    daily = "\n".join(f"{np.datetime64('2021-01-01') + n}T06,a,{n % 7}" for n in range(150)) + "\n2021-03-01T18,a,5"
    for rows, once in ((two_hourly, False), (daily, True)):
        (tmp_path / "salinity.csv").write_text(f"time,station,salinity\n{rows}\n")
        assert has_one_value_a_day(read(tmp_path, HEAD + LONG)) is once
