"""Who speaks: the first model that says something; what models are shown of drivers; and that neither makes anything due."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import made_histories as made
import numpy as np
import pytest
from servers.forecast_world import DAY, FIVE, HOUR, MINUTE, World

from analytics.asking import MOST_FAULTS
from analytics.daily.histories import daily_of
from analytics.forecast_config import DriverSource
from analytics.history import History
from analytics.learned import days_model
from analytics.model import DriverHistory, Issue, Model
from analytics.models.persistence import MODEL as PERSISTENCE
from core.bands import LINES
from core.errors import ConfigError
from core.forecast import MEDIAN, Forecast, Reason
from core.model_card import ModelCard

FLOW = DriverSource(name="discharge", station="river", point="main", quantity="water.discharge", statistic="mean", bears_on=frozenset({"a"}))


@dataclass(slots=True)
class Spoken:
    """A model that says 1 g/L tomorrow of the stations it knows, and remembers what it was shown."""

    knows: Callable[[str], bool] = lambda station: True
    drivers: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: Exception | None = None
    fails: frozenset[str] = frozenset()
    shown: list[tuple[str, list[str], Sequence[DriverHistory]]] = field(default_factory=list)

    def model(self, name: str = "learned", version: str = "1.a", targets: tuple[str, ...] = ("day_max", "day_min")) -> Model:
        return Model(name=name, version=version, targets=targets, say=self.say)

    def say(self, target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
        self.shown.append((target, [histories[i].station for i in wanted], drivers))
        if self.error:
            raise self.error
        for station in (histories[i].station for i in wanted):
            if station in self.fails:
                raise ValueError(f"it cannot do {station}")
        issue = Issue(
            leads=(1,),
            times=(at + 19 * HOUR,),
            quantiles=((0.8, 0.9, 1.0, 1.1, 1.2),),
            p_gt=((0.9, 0.5, 0.1, 0.01),),
            drivers=self.drivers,
            reasons=(Reason(code="tide", effect=0.2, lead=1),),
            missing=self.missing,
        )
        return [issue if self.knows(histories[i].station) else None for i in wanted]


def measured(world: World, *names: str) -> None:
    for name in names:
        world.measure(world.station(name), FIVE - 30 * DAY, FIVE)


def newest(world: World, station: str, target: str) -> Forecast:
    return world.issued(station, target)[-1]


def test_the_first_that_says_something_speaks(world: World) -> None:
    """Of each point and target; the next is asked of the others alone, and every issue bears the name of its own."""
    measured(world, "a", "b")
    learned = Spoken(knows=lambda station: station == "a", missing=("wind",))
    world.again(models=(learned.model(), PERSISTENCE))
    assert world.round() == 6
    assert [(f.model, f.version) for f in (newest(world, "a", "day_max"), newest(world, "a", "day_min"))] == [("learned", "1.a")] * 2
    assert {newest(world, "b", t).model for t in ("day_max", "day_min", "hour")} == {"persistence"}
    assert newest(world, "a", "hour").model == "persistence"
    assert [(target, names) for target, names, _ in learned.shown] == [("day_max", ["a", "b"]), ("day_min", ["a", "b"])]
    one = newest(world, "a", "day_max")
    assert (one.reasons, one.missing) == ((Reason(code="tide", effect=0.2, lead=1),), ("wind",))
    assert newest(world, "b", "day_max").reasons == (Reason(code="persistence", effect=0.0, lead=1),)


def test_a_new_model_makes_nothing_due_and_speaks_next(world: World) -> None:
    """Changed between two rounds: what was issued stands, nothing is issued twice; from the next 05:00 on the new one speaks."""
    measured(world, "a")
    assert world.round() == 3
    world.issuer.models = (Spoken().model(), PERSISTENCE)
    assert world.round(FIVE + 10 * MINUTE) == 0
    world.measure(world.station("a"), FIVE, FIVE + DAY)
    assert world.round(FIVE + DAY) == 3
    assert [f.model for f in world.issued("a", "day_max")] == ["persistence", "learned"]
    world.issuer.models = (PERSISTENCE,)
    assert world.round(FIVE + DAY + MINUTE) == 0
    assert [f.model for f in world.issued("a", "day_max")] == ["persistence", "learned"]


def test_a_target_nobody_spoke_of_is_due_when_a_model_comes(world: World) -> None:
    """At the next look at all points: a quarter of an hour, or news."""
    measured(world, "a")
    world.again(models=(Spoken().model(targets=("day_max",)),))
    assert world.round() == 1
    world.issuer.models = (Spoken().model(),)
    assert world.round(FIVE + 15 * MINUTE) == 1
    assert [f.issued_at for f in world.issued("a", "day_min")] == [FIVE + 15 * MINUTE]


def test_a_model_that_fails_leaves_the_word_to_the_next(world: World) -> None:
    """The forecasts are there, and the round tells what failed; where nobody is left, and in a hindcast, the fault is raised."""
    measured(world, "a")
    broken = Spoken(error=ConfigError("unfit")).model(targets=("day_max",))
    world.again(models=(broken, PERSISTENCE))
    done = world.run(world.issuer.round())
    assert done.issued == 3
    assert [(f.model, f.version, str(f.error)) for f in done.faults] == [("learned", "1.a", "unfit")]
    assert newest(world, "a", "day_max").model == "persistence"
    with pytest.raises(ConfigError, match="unfit"):
        world.run(world.issuer.hindcast(FIVE - HOUR))
    world.again(models=(broken,))
    world.clock.now = FIVE + DAY
    world.measure(world.station("a"), FIVE, FIVE + DAY)
    with pytest.raises(ConfigError, match="unfit"):
        world.round()


def test_one_point_costs_no_other_the_model(world: World) -> None:
    """Where it raises at one point the next model speaks there alone, and the fault names it; at all others it speaks."""
    names = [f"s{n}" for n in range(9)]
    measured(world, *names)
    world.again(models=(Spoken(fails=frozenset({"s4"})).model(targets=("day_max",)), PERSISTENCE))
    done = world.run(world.issuer.round())
    assert done.issued == 27
    assert {name for name in names if newest(world, name, "day_max").model == "persistence"} == {"s4"}
    [fault] = done.faults
    assert (str(fault.error), fault.error.__notes__) == ("it cannot do s4", ["of day_max at s4/main"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_gt": ((1.01, 0.5, 0.1, 0.01),)},
        {"p_gt": ((0.5, 0.1),)},
        {"p_gt": ((0.1, 0.5, 0.1, 0.01),)},
        {"p_gt": ((float("nan"), 0.5, 0.1, 0.01),)},
        {"quantiles": ((0.8, 0.9, float("inf"), 1.1, 1.2),)},
        {"quantiles": ((0.8, 0.9, 0.7, 1.1, 1.2),)},
        {"quantiles": ()},
        {"leads": (), "times": (), "quantiles": (), "p_gt": ()},
        {"leads": None},
        {"reasons": (Reason(code="luck", effect=1.0, lead=1),)},
        {"reasons": (Reason(code="tide", effect=float("nan"), lead=1),)},
    ],
)
def test_what_is_no_forecast_at_one_point_costs_no_other_its_own(world: World, wrong: dict[str, Any]) -> None:
    """It is that point's fault and told by its name; there the next model speaks, and at all others this one does."""
    measured(world, "a", "b", "c")
    sound = Spoken().model(targets=("day_max",))

    def say(target: str, histories: Sequence[History], wanted: Sequence[int], *more: Any) -> list[Issue | None]:
        said = sound.say(target, histories, wanted, *more)
        return [replace(i, **wrong) if i is not None and histories[n].station == "b" else i for n, i in zip(wanted, said, strict=True)]

    world.again(models=(replace(sound, say=say), PERSISTENCE))
    done = world.run(world.issuer.round())
    assert done.issued == 9
    assert [newest(world, name, "day_max").model for name in "abc"] == ["learned", "persistence", "learned"]
    [fault] = done.faults
    assert fault.error.__notes__ == ["of day_max at b/main"]
    assert world.round(FIVE + MINUTE) == 0


def test_nor_does_it_where_nobody_is_left_to_speak(world: World) -> None:
    """The others have their forecasts; of the one nothing is said, the fault is told, and it is tried again in the next hour."""
    measured(world, "a", "b", "c")
    broken = Spoken(fails=frozenset({"b"}))
    world.again(models=(broken.model(targets=("day_max",)),))
    done = world.run(world.issuer.round())
    assert (done.issued, len(done.faults)) == (2, 1)
    broken.fails = frozenset()
    assert world.round(FIVE + HOUR) == 1
    assert world.issued("b", "day_max")


def test_a_model_that_fails_everywhere_is_soon_left_alone(world: World) -> None:
    """It is not asked once of every point."""
    measured(world, *(f"s{n:02d}" for n in range(40)))
    broken = Spoken(error=ValueError("unfit"))
    world.again(models=(broken.model(targets=("day_max",)), PERSISTENCE))
    done = world.run(world.issuer.round())
    assert (done.issued, len(done.faults), len(broken.shown)) == (120, 1, MOST_FAULTS)


def test_a_driver_is_shown_when_it_can_be_known(world: World) -> None:
    """A day's mean that stands at the day's first minute is known when the day is over: of the last day nothing is shown at 05:00."""
    measured(world, "a")
    flow = world.station("river", quantity="water.discharge")
    midnight = FIVE - 5 * HOUR
    world.measure(flow, midnight - 20 * DAY, FIVE, step=DAY, value=lambda t: float((midnight - t) // DAY))  # how many days ago the day began
    learned = Spoken()
    world.again(models=(learned.model(), PERSISTENCE), drivers=(replace(FLOW, available_after_h=24.0),))
    world.round()
    [there] = learned.shown[0][2]
    known = there.history.between(0, FIVE)
    assert (known.time[-1], known.value[-1]) == (midnight, 1.0)
    salt = History(station="a", point="main", zone=there.history.zone, time=np.arange(FIVE - 3 * DAY, FIVE, HOUR), value=np.ones(72))
    daily = daily_of([salt], [there], FIVE, days=3, target="day_max")
    assert daily.drivers["discharge"][:, 0].tolist() == [3.0, 2.0, 1.0], "of the day itself, not of the day that has just begun"


def test_drivers_are_shown_as_they_were_read(world: World) -> None:
    """Good readings of primary sensors before the issue, with name, statistic and whom they bear on; one that is nowhere is empty."""
    measured(world, "a")
    flow = world.station("river", quantity="water.discharge")
    world.measure(flow, FIVE - 20 * DAY, FIVE + HOUR, step=HOUR, value=900.0)
    world.reflag(flow, FIVE - 2 * HOUR, 4)
    learned = Spoken()
    nowhere = DriverSource(name="wind", station="sky", point="main", quantity="air.wind", statistic="max", bears_on=None)
    world.again(models=(learned.model(), PERSISTENCE), drivers=(FLOW, nowhere))
    assert world.round() == 3
    there, gone = learned.shown[0][2]
    assert (there.name, there.statistic, there.bears_on) == ("discharge", "mean", frozenset({"a"}))
    assert there.history.time.tolist() == [t for t in range(FIVE - 20 * DAY, FIVE, HOUR) if t != FIVE - 2 * HOUR]
    assert set(there.history.value.tolist()) == {900.0}
    assert (gone.name, gone.statistic, gone.bears_on, len(gone.history.time)) == ("wind", "max", None, 0)
    assert world.issued("river", "day_max") == []


def test_news_of_a_driver_makes_nothing_due_and_is_in_the_next_issue(world: World) -> None:
    """No round for it alone; it is read again only where it changed; the salinity of another station may be one."""
    measured(world, "a", "down")
    learned = Spoken()
    salt = DriverSource(name="salinity.down", station="down", point="main", quantity="water.salinity", statistic="max", bears_on=frozenset({"a"}))
    flow = world.station("river", quantity="water.discharge")
    world.measure(flow, FIVE - 20 * DAY, FIVE, step=HOUR)
    world.again(models=(learned.model(), PERSISTENCE), drivers=(FLOW, salt))
    assert world.run(world.issuer.round()).read == 3
    world.measure(flow, FIVE, FIVE + HOUR, step=HOUR, value=7.0)
    assert world.round(FIVE + 30 * MINUTE) == 0
    world.measure(world.station("a"), FIVE, FIVE + DAY)
    world.clock.now = FIVE + DAY
    assert world.run(world.issuer.round()).read == 2
    flow_seen, salt_seen = learned.shown[-1][2]
    assert flow_seen.history.value[-1] == 7.0
    assert salt_seen.history.newest == FIVE - 15 * MINUTE


def test_inputs_tell_which_drivers_were_used(world: World) -> None:
    """Another reading of a driver that went into the forecast gives another hash; of one that did not, or bears on others, the same."""
    measured(world, "a", "b")
    flow = world.station("river", quantity="water.discharge")
    world.measure(flow, FIVE - 20 * DAY, FIVE, step=HOUR)
    found = []
    for drivers in (("discharge",), ()):
        for _ in range(2):
            world.again(models=(Spoken(drivers=drivers).model(targets=("day_max",)),), drivers=(FLOW,))
            found.append({f.station: f.inputs for f in world.run(world.issuer.hindcast(FIVE - 1))})
            world.measure(flow, FIVE - 20 * DAY + len(found), FIVE - 20 * DAY + len(found) + 1, step=1, value=5.0)
    used, changed, unused, too = found
    assert used["a"] != changed["a"]
    assert used["b"] == changed["b"]
    assert unused == too


def test_a_hindcast_shows_drivers_as_of_its_instant(world: World) -> None:
    """None of their readings from then on, whoever is asked for."""
    measured(world, "a", "b")
    world.measure(world.station("river", quantity="water.discharge"), FIVE - 20 * DAY, FIVE, step=HOUR)
    learned = Spoken()
    world.again(models=(learned.model(),), drivers=(FLOW,))
    found = world.run(world.issuer.hindcast(FIVE - 5 * DAY, station="b"))
    assert {(f.station, f.version) for f in found} == {("b", "1.a+hindcast")}
    assert learned.shown[0][2][0].history.newest == FIVE - 5 * DAY - HOUR


def test_a_learned_model_speaks_and_names_a_driver_that_went_silent(world: World) -> None:
    """From the store to the record: with its river it speaks of tomorrow; after five silent days the interval is wider, and the river is named."""
    world.clock.now = made.AT
    flow = world.station("river", quantity="water.discharge")
    river = made.river(until=made.AT).history
    for h in made.histories()[:1]:
        recent = h.between(made.AT - 77 * DAY, made.AT)
        value = dict(zip(recent.time.tolist(), recent.value.tolist(), strict=True))
        world.measure(world.station("a"), made.AT - 77 * DAY, made.AT, step=HOUR, value=value.__getitem__)
    flows = dict(zip(river.time.tolist(), river.value.tolist(), strict=True))
    start = made.AT - 77 * DAY + 23 * HOUR
    world.measure(flow, start, made.AT - 5 * DAY, step=DAY, value=flows.__getitem__)
    card = ModelCard(
        target="day_max",
        model="ensemble",
        version="1.x",
        trained_at=0,
        data_from="",
        data_until="",
        stations=("a",),
        drivers=("discharge",),
        rows=0,
        source="store",
        held_out=None,
    )
    source = DriverSource(name="discharge", station="river", point="main", quantity="water.discharge", statistic="mean", bears_on=None)
    world.again(models=(days_model(made.fitted(), card), PERSISTENCE), drivers=(source,))
    assert world.round() == 3
    silent = newest(world, "a", "day_max")
    world.measure(flow, made.AT - 5 * DAY + 23 * HOUR, made.AT, step=DAY, value=flows.__getitem__)
    world.again(models=world.issuer.models, drivers=(source,))
    there = next(f for f in world.run(world.issuer.hindcast(made.AT)) if f.target == "day_max")
    assert (silent.model, silent.version, silent.missing) == ("ensemble", "1.x", ("discharge",))
    assert there.missing == ()
    assert silent.inputs != there.inputs
    wide, narrow = (np.log(f.quantiles[0][-1] / f.quantiles[0][0]) for f in (silent, there))
    assert wide > 1.3 * narrow
    assert newest(world, "a", "day_min").model == "persistence"


def telling(low: float | None, high: float | None) -> Model:
    """A model that is sure of these, each target where it is not None."""

    def say(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
        value = high if target == "day_max" else low
        start = (at // DAY + 1) * DAY
        if value is None:
            return [None] * len(wanted)
        chances = tuple(float(value > line) for line in LINES)
        return [Issue(leads=(1, 2), times=(start, start + DAY), quantiles=((value,) * 5,) * 2, p_gt=(chances,) * 2)] * len(wanted)

    return Model(name="sure", version="1", targets=("day_max", "day_min"), say=say)


def values(world: World, target: str) -> list[float]:
    """What each issue said of its first day; none of one that took back."""
    return [f.quantiles[0][MEDIAN] if f.leads else math.nan for f in world.issued("a", target)]


def test_the_lowest_of_a_day_is_never_issued_above_its_highest(world: World) -> None:
    """As it stands in the record, chances too; the highest is as its model said. In a hindcast as well."""
    measured(world, "a")
    world.again(models=(telling(low=5.0, high=1.5),))
    assert world.round() == 2
    assert (values(world, "day_max"), values(world, "day_min")) == ([1.5], [1.5])
    assert newest(world, "a", "day_min").p_gt == newest(world, "a", "day_max").p_gt
    lowest = next(f for f in world.run(world.issuer.hindcast(FIVE - DAY)) if f.target == "day_min")
    assert lowest.quantiles[0] == (1.5,) * 5


def test_a_lowest_that_is_issued_alone_agrees_with_the_highest_that_stands(world: World) -> None:
    """Made before a restart too; one nobody may believe any more counts for nothing."""
    measured(world, "a")
    world.again(models=(telling(low=None, high=1.5),))
    assert world.round() == 1
    world.again(models=(telling(low=5.0, high=None),))
    assert world.round(FIVE + 15 * MINUTE) == 1
    assert values(world, "day_min") == [1.5]
    world.measure(world.station("a"), FIVE, FIVE + 2 * DAY)
    assert world.round(FIVE + 2 * DAY) == 1
    assert values(world, "day_min") == [1.5, 5.0]


def test_a_new_highest_takes_back_a_lowest_above_it_that_stands(world: World) -> None:
    """It is made anew in the next round, under the highest; one that agrees stands."""
    measured(world, "a")
    world.again(models=(telling(low=5.0, high=None),))
    assert world.round() == 1
    world.issuer.models = (telling(low=5.0, high=1.5),)
    noon = FIVE + 7 * HOUR
    world.measure(world.station("a"), FIVE, noon)
    done = world.run(at(world, noon).issuer.round())
    assert (done.issued, done.withdrawn) == (2, 1)
    assert world.round(noon + 1000) == 1
    assert world.round(noon + 2000) == 0
    assert [str(v) for v in values(world, "day_min")] == ["5.0", "nan", "1.5"]
    assert values(world, "day_max") == [1.5]


def at(world: World, now: int) -> World:
    """The same, at this instant."""
    world.clock.now = now
    return world
