"""What is worked out, each part on its own: a set's backtest beside its baselines, a station left out of the training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from analytics.daily.model import DayModel, day_models
from analytics.daily.spec import Spec
from analytics.hourly.model import HourModel
from bench.leave_station_out import Left, left_out
from bench.skill import cost, figures, hours
from bench.skill.store import key_of
from canhman.backtesting import Asked, load, read_spec, run

HOURS, COST = "hours", "cost"
BASELINES = ("persistence", "climatology", "analogue", "logistic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `make skill` runs: the files of the sets by name, those told station by station, the one whose stations are left out in turn, the one by hours."""

    sets: Mapping[str, Path]
    whole: Collection[str]
    left_out: str
    hours: str
    data: Path
    model: DayModel
    hour_model: HourModel
    costs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One result. `weight`: about how many seconds it takes on one core."""

    name: str
    key: str
    weight: float
    make: Callable[[], Any]


def parts(plan: Plan) -> list[Part]:
    """All there are, in order. Raises ConfigError where a file is missing or cannot be read."""
    found = []
    for name, file in plan.sets.items():
        spec = read_spec(file)
        found.append(Part(name=name, key=_key(plan, spec, file), weight=_WEIGHT.get(name, 60), make=_set(plan, file)))
    file = plan.sets[plan.left_out]
    spec = read_spec(file)
    found += [
        Part(name=f"left_out-{station}", key=_key(plan, spec, file, station), weight=14, make=_left_out(plan, spec, file, station))
        for station in load(spec, file, plan.data).scored
    ]
    file = plan.sets[plan.hours]
    make = partial(hours.score, file, plan.data, plan.hour_model)
    found.append(Part(name=HOURS, key=hours.key(file, plan.data, plan.hour_model), weight=60, make=make))
    if plan.costs:
        found.append(Part(name=COST, key=cost.key(plan.model), weight=300, make=partial(cost.measured, plan.model)))
    return found


_WEIGHT = {"mekong": 30, "mekong_all": 60, "mekong_min": 30, "rhine_meuse": 60, "california_delta": 100, "delaware": 100}


def _key(plan: Plan, spec: Spec, file: Path, *words: str) -> str:
    data = dict.fromkeys(plan.data / name for name in (spec.target.file, *(driver.columns.file for driver in spec.drivers)))
    return key_of((plan.model.name, plan.model.version, *BASELINES, *words), (file, *data))


def _set(plan: Plan, file: Path) -> Callable[[], Any]:
    def make() -> Any:
        results = {}
        for model in (plan.model, *(day_models()[name] for name in BASELINES)):
            asked = Asked(file=file, data=plan.data, train=None, train_until=None, test_from=None, test_until=None, model=model)
            results[model.name] = run(asked, quiet=True)
        return figures.of(results[plan.model.name], {name: results[name] for name in BASELINES})

    return make


def _left_out(plan: Plan, spec: Spec, file: Path, station: str) -> Callable[[], Any]:
    def make() -> Any:
        return [_rows(one) for one in left_out(load(spec, file, plan.data), plan.model, station)]

    return make


def _rows(one: Left) -> dict[str, Any]:
    kept: dict[str, Any] = {"station": one.station, "lead": one.lead, "day": one.day.tolist(), "held": one.held.tolist()}
    return kept | {key: [float(f"{x:.6g}") for x in getattr(one, key).tolist()] for key in ("own", "persistence")}
