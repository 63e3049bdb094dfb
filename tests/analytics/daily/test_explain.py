"""Why a model says what it says: every input has its group, effects are differences of the expected value, and few are told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import made_histories as made
import numpy as np
import pytest

from analytics.daily.explain import LEAST, LEAST_SHARE, MOST, Drivers, drivers_heard, effects, group_of, reasons
from analytics.daily.features import driver_of, inputs, known
from analytics.daily.histories import daily_of
from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.models.gaussian import GaussianProcess
from analytics.daily.panel import Daily, Index
from analytics.daily.pool import UNTRIED
from core.forecast import REASONS, Reason
from core.reasons import reason_text

LEAD = made.LEADS[0]


@cache
def panel() -> Daily:
    return daily_of(made.histories(), (made.river(),), made.AT, days=90, target="day_max")


def rows(*days: int) -> tuple[Index, Index]:
    """Both stations at the end of these days, −1 the last."""
    every = np.repeat([len(panel().days) + d for d in days], 2)
    return every, np.tile([0, 1], len(days))


def test_every_input_of_the_ensemble_has_a_group() -> None:
    """All but today's value are told as one of REASONS; the groups hold what their names say."""
    model = made.fitted()
    found = known(panel(), *rows(-1), scale=model.alone.scale, kernel=model.alone.kernel, drivers=model.drivers, within=True, furthest=LEAD)
    groups = {name: group_of(name) for name in inputs(found, LEAD)}
    assert [name for name, group in groups.items() if group is None] == ["y"]
    codes = {name: group[0] for name, group in groups.items() if group is not None}
    assert set(codes.values()) == set(REASONS) - {"persistence"}
    told = {"th_then": "tide", "beat0": "tide", "resp": "tide", "a14_d": "tide", "d1": "course", "trend15": "course", "gp": "course", "i_low": "day"}
    told |= {"mean_d1": "day", "yc": "season", "v:discharge": "driver", "vd14:discharge": "driver", "i_c0": "day", "t_c0": "tide", "t_first_chg4": "tide"}
    assert {name: codes[name] for name in told} == told


def test_a_dry_river_speaks_for_salt_and_a_high_one_against_it() -> None:
    """The driver that rules the made water is told by name, with its sign, on nearly every day."""
    flow = panel().drivers["discharge"][-30:-1, 0]
    day, station = rows(*range(-30, -1))
    found = effects(made.fitted(), panel(), day, station, LEAD)["driver", "discharge"][station == 0]
    far = np.abs(np.log(flow / np.median(flow))) > 0.2
    assert far.sum() > 5
    assert (np.sign(found[far]) == -np.sign(np.log(flow[far] / np.median(flow)))).mean() > 0.9


def test_an_effect_is_a_difference_of_the_expected_value() -> None:
    """The twin that knows no driver is told without one, and what the other says less all it owes to its river is as wide apart as the effect."""
    model = made.fitted()
    silent = replace(panel(), drivers={})
    assert ("driver", "discharge") not in effects(model, silent, *rows(-1), LEAD)
    learned = model.leads[LEAD].driven
    assert learned is not None
    found = known(panel(), *rows(-1), scale=model.alone.scale, kernel=model.alone.kernel, drivers=model.drivers, within=model.within, furthest=LEAD)
    columns = inputs(found, LEAD)
    usual = {name: np.full(2, np.nan) if driver_of(name) else column for name, column in columns.items()}
    known_, unknown = (learned.say(each, model.alone.scale, model.alone.lines).point for each in (columns, usual))
    effect = effects(model, panel(), *rows(-1), LEAD)["driver", "discharge"]
    assert np.allclose(effect, known_ - unknown, rtol=0.2)  # the spread is another one there; here it stays
    assert not np.allclose(effect, 0.0, atol=LEAST)


def test_of_the_gaussian_process_tide_and_course_make_the_whole_step() -> None:
    """What it says ahead less today's value is the tide's part and the course's."""
    model: GaussianProcess = made.fitted().alone
    day, station = rows(-1, -9)
    found = effects(model, panel(), day, station, LEAD)
    step = model.scale.back(model.ahead(panel(), day, station)[0][:, LEAD - 1]) - panel().target[day, station]
    assert set(found) == {("tide", ""), ("course", "")}
    assert np.allclose(found["tide", ""] + found["course", ""], step)
    assert (np.abs(found["tide", ""]) > 0).all()


def test_of_several_speakers_each_is_told_by_its_share() -> None:
    """A first season of one station: what the Gaussian process and logistic persistence say beside today's value makes the whole step of the two."""
    first = panel().only(np.array([0])).first(len(panel().days) - 1)
    young = fit_ensemble(first, (LEAD,), (1.0, 4.0))
    assert young.leads[LEAD].shares(driven=False) == UNTRIED
    day, station = np.array([len(first.days) - 1, len(first.days) - 9]), np.array([0, 0])
    found = effects(young, first, day, station, LEAD)
    assert set(found) == {("tide", ""), ("course", "")}
    step = young.say(first, day, station)[LEAD].point - first.target[day, station]
    assert np.allclose(found["tide", ""] + found["course", ""], step)


def test_a_falling_series_that_is_forecast_to_rise_back_is_told_as_that() -> None:
    """Far under its usual level the water is expected back up: the words tell what comes after such days, not that these were salty."""
    model: GaussianProcess = made.fitted().alone
    target = panel().target.copy()
    usual = float(np.nanmedian(target[:, 0]))
    target[-6:, 0] = usual * np.array([1.0, 0.8, 0.6, 0.45, 0.35, 0.3])
    day, station = rows(-1)
    course = effects(model, replace(panel(), target=target), day[station == 0], station[station == 0], LEAD)["course", ""]
    assert float(course[0]) > LEAST
    told = [reason_text(Reason(code="course", effect=float(course[0]), lead=LEAD), lang) for lang in ("vi", "en")]
    assert told[0].startswith("Sau những ngày như vừa qua, nước ở đây thường mặn lên, mặn thêm chừng ")
    assert told[1].startswith("After days like the last ones the water here usually turns saltier, about ")


def test_a_row_owes_no_bit_to_its_neighbours_nor_to_the_days_after() -> None:
    """One issue alone, on a panel that ends with it, is explained as in company."""
    day, station = rows(-5, -3, -1)
    model, every = made.fitted(), effects(made.fitted(), panel(), day, station, LEAD)
    cut = panel().first(len(panel().days) - 2)
    one = effects(model, cut, day[2:3], station[2:3], LEAD)
    assert {group: values[0] for group, values in one.items()} == {group: values[2] for group, values in every.items()}


def test_a_day_without_a_value_is_explained_as_it_is_spoken_of() -> None:
    """As of the last day with one, where the model knows a lead so long; of a lead it does not know nothing is told."""
    target = panel().target.copy()
    target[-1] = np.nan
    gap = replace(panel(), target=target)
    assert effects(made.fitted(), gap, *rows(-1), LEAD) == {}
    now, before = effects(made.fitted(), gap, *rows(-1), LEAD - 1), effects(made.fitted(), panel(), *rows(-2), LEAD)
    assert {group: values.tolist() for group, values in now.items()} == {group: values.tolist() for group, values in before.items()}


def test_another_model_gives_no_reasons() -> None:
    """Of what is not known from within nothing is told, and no driver is missed."""

    class Other:
        def say(self, daily: Daily, day: Index, station: Index) -> dict[int, object]:
            return {}

    assert effects(Other(), panel(), *rows(-1), LEAD) == {}  # type: ignore[arg-type]  # it says nothing at all
    assert drivers_heard(Other(), panel(), *rows(-1)) == [Drivers(), Drivers()]  # type: ignore[arg-type]  # it says nothing at all


@pytest.mark.parametrize(("silent_days", "found"), [(0, Drivers(used=("discharge",))), (3, Drivers(used=("discharge",))), (4, Drivers(silent=("discharge",)))])
def test_a_driver_is_silent_after_three_days(silent_days: int, found: Drivers) -> None:
    """Its last value stands for three days; then it is named, and nothing of it is used."""
    daily = daily_of(made.histories(), (made.river(until=made.AT - silent_days * made.DAY_MS),), made.AT, days=90, target="day_max")
    assert drivers_heard(made.fitted(), daily, *rows(-1)) == [found, found]


def test_a_driver_of_few_stations_is_missed_where_it_was_heard() -> None:
    """One that was known on too few issues to be waited for everywhere: what learned without it speaks at its own station, not at one that never had it."""
    rare, flow = replace(made.fitted(), waited=(), heard={"discharge": ("a/main",)}), made.river(until=made.AT - 4 * made.DAY_MS)
    daily = daily_of(made.histories(), (replace(flow, bears_on=frozenset({"a"})),), made.AT, days=90, target="day_max")
    assert drivers_heard(rare, daily, *rows(-1)) == [Drivers(silent=("discharge",)), Drivers()]
    said, bare = (model.say(daily, *rows(-1))[LEAD].quantiles for model in (rare, made.fitted()))
    assert said[0].tobytes() == bare[0].tobytes()
    assert said[1].tobytes() != bare[1].tobytes()


def test_a_driver_is_missed_however_long_it_is_silent() -> None:
    """A panel that holds nothing of it any more: the stations that had it when it was learned are known by name, and it is named."""
    rare = replace(made.fitted(), waited=(), heard={"discharge": ("a/main",)})
    for gone in ((), (made.river(until=made.AT - 200 * made.DAY_MS),)):
        daily = daily_of(made.histories(), gone, made.AT, days=90, target="day_max")
        assert drivers_heard(rare, daily, *rows(-1)) == [Drivers(silent=("discharge",)), Drivers()]


def test_the_strongest_are_told_each_at_its_strongest_lead() -> None:
    """At most three, none under 0.2 g/L or 5 % of what is expected; what is not known is no reason."""
    tide, course, day, season = (("tide", ""), ("course", ""), ("day", ""), ("season", ""))
    first = {tide: np.array([0.2, 0.3]), course: np.array([-0.5, 0.19]), day: np.array([0.21, np.nan]), season: np.array([0.3, 0.0])}
    second = {tide: np.array([-0.4, 0.25]), ("driver", "q"): np.array([0.31, 0.0])}
    found = reasons({1: first, 7: second}, {1: np.array([1.0, 7.0]), 7: np.array([1.0, 1.0])}, 2)
    assert found[0] == (
        Reason(code="course", effect=-0.5, lead=1),
        Reason(code="tide", effect=-0.4, lead=7),
        Reason(code="driver", name="q", effect=0.31, lead=7),
    )
    assert found[1] == (Reason(code="tide", effect=0.25, lead=7),)  # 0.3 of 7 g/L is too little
    assert (MOST, LEAST, LEAST_SHARE) == (3, 0.2, 0.05)
    assert reasons({}, {}, 2) == [(), ()]
