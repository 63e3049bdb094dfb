"""What `config/forecast.toml` says: which series drive the forecasts, and when models learn anew."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from analytics.history import History
from analytics.model import DriverHistory
from core.errors import ConfigError
from core.forecast import HOUR_MS
from core.parameter import parameter, parameters
from core.place import SLUG
from core.quantities import QUANTITIES

STATISTICS = ("mean", "max", "min", "sum", "last")  # of a day; see `analytics.daily.histories`
# What stands in a [[driver]].
DRIVER_ABOUT = {
    "name": "What models and pages call it: `discharge`, `level` … Two of one name bear on other stations each.",
    "station": "Id of the station it is measured at.",
    "point": "Point of the station; `main` where it is left out.",
    "quantity": "What is measured there: [quantities.md](quantities.md).",
    "statistic": f"What of a day counts: {', '.join(f'`{name}`' for name in STATISTICS)}; `mean` where it is left out.",
    "available_after_h": "Hours from a reading's time to when it can be known, 0 to 240; 0 where it is left out. A day's mean at 00:00 of that day: 24.",
    "stations": "Ids of the stations whose water it moves, or `all`, which is so where it is left out.",
}
_MOST_H = 240  # what is known later tells little of the days ahead
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSource:
    """A series that moves the water: see `analytics.model.DriverHistory`. A reading is known `available_after_h` after the time it bears."""

    name: str
    station: str
    point: str
    quantity: str
    statistic: str
    bears_on: frozenset[str] | None
    available_after_h: float = 0.0

    def shown(self, history: History) -> DriverHistory:
        """What was read of it as models are shown it, at the times when it can be known: in training as when forecasts are issued."""
        known = replace(history, time=history.time + round(self.available_after_h * HOUR_MS))
        return DriverHistory(name=self.name, statistic=self.statistic, bears_on=self.bears_on, history=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """`hour`: local hour at which a training may begin, every `every_days` days; the last `held_out_days` days (a quarter of them where they are fewer
    than four times as many, but at least `least_held_out_days`) are kept from it and decide."""

    hour: int = parameter(1, "Local hour from which on the service begins a training that is due.", unit="h", least=0, most=23)
    every_days: int = parameter(7, "Models learn anew after so many days; 0: only when `canhman train` is called.", unit="d", least=0)
    held_out_days: int = parameter(
        60, "The last so many days with readings are not learned from: they decide which model speaks …", unit="d", least=7, most=366
    )
    least_held_out_days: int = parameter(7, "… a quarter of all days where there are fewer than four times as many, but at least so many.", unit="d", least=3)
    least_days: int = parameter(21, "With fewer days of readings nothing is learned.", unit="d", least=14)


# The first must not exceed the second …
ORDERED = (("least_held_out_days", "held_out_days"),)
# … and must be less than it: else nothing is left to learn from.
LESS = (("least_held_out_days", "least_days"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastConfig:
    """`digest` is the hash of what was read."""

    drivers: tuple[DriverSource, ...]
    training: Training
    digest: str


def parse_forecast(document: Mapping[str, Any], *, where: str = "forecast.toml") -> ForecastConfig:
    """Read a parsed `forecast.toml`. Raises ConfigError for an unknown name, a value of another kind or out of bounds, and drivers that say the same."""
    _known(document, ("training", "driver"), where)
    training = _training(document.get("training", {}), f"{where}: [training]")
    tables = document.get("driver", [])
    if not isinstance(tables, list):
        raise ConfigError(f"{where}: driver must be written as [[driver]] tables, found {tables!r}")
    drivers = tuple(_driver(table, f"{where}: [[driver]] {n}") for n, table in enumerate(tables, 1))
    _apart(drivers, where)
    content = {"training": asdict(training), "drivers": [asdict(d) | {"bears_on": d.bears_on and sorted(d.bears_on)} for d in drivers]}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    return ForecastConfig(drivers=drivers, training=training, digest=digest)


def _training(table: Any, where: str) -> Training:
    about = parameters(Training)
    _known(_table(table, where), tuple(about), where)
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{where}: {name} must be a whole number, found {value!r}")
        most = about[name].most
        if not (about[name].least or 0) <= value <= (math.inf if most is None else most):
            raise ConfigError(f"{where}: {name} must be {about[name].bounds}, found {value!r}")
    found = Training(**table)
    for low, high in ORDERED:
        if getattr(found, low) > getattr(found, high):
            raise ConfigError(f"{where}: {low} {getattr(found, low)} must not exceed {high} {getattr(found, high)}")
    for low, high in LESS:
        if getattr(found, low) >= getattr(found, high):
            raise ConfigError(f"{where}: {low} {getattr(found, low)} must be less than {high} {getattr(found, high)}: else nothing is left to learn from")
    return found


def _driver(table: Any, where: str) -> DriverSource:
    _known(_table(table, where), tuple(DRIVER_ABOUT), where)
    for key in ("name", "station", "quantity"):
        if key not in table:
            raise ConfigError(f"{where}: {key} is missing: {DRIVER_ABOUT[key]}")
    texts = {"point": "main", "statistic": "mean"} | {key: value for key, value in table.items() if key not in ("stations", "available_after_h")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {key} must be a text, found {value!r}")
    if not _NAME.fullmatch(texts["name"]):
        raise ConfigError(f"{where}: name {texts['name']!r} must begin with a letter a to z and go on with a to z, 0 to 9, . _ -, at most 40 in all")
    for key in ("station", "point"):
        _slug(texts[key], key, where)
    for key, known in (("quantity", tuple(QUANTITIES)), ("statistic", STATISTICS)):
        if texts[key] not in known:
            raise ConfigError(f"{where}: {key} {texts[key]!r} is not known; known: {', '.join(known)}")
    return DriverSource(**texts, bears_on=_stations(table.get("stations", "all"), where), available_after_h=_hours(table.get("available_after_h", 0), where))


def _hours(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_H:
        raise ConfigError(f"{where}: available_after_h must be a number of hours from 0 to {_MOST_H}, found {value!r}")
    return float(value)


def _stations(value: Any, where: str) -> frozenset[str] | None:
    if value == "all":
        return None
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ConfigError(f'{where}: stations must be "all" or a list of ids, found {value!r}')
    for one in value:
        _slug(one, "stations", where)
    return frozenset(value)


def _apart(drivers: Sequence[DriverSource], where: str) -> None:
    """Of one name each station has one."""
    for n, one in enumerate(drivers):
        for other in drivers[:n]:
            both = one.bears_on is None or other.bears_on is None or one.bears_on & other.bears_on
            if one.name == other.name and both:
                raise ConfigError(f"{where}: driver {one.name} is told twice for the same stations: give one another name, or lists that do not meet")


def _slug(value: str, key: str, where: str) -> None:
    if not SLUG.match(value):
        raise ConfigError(f"{where}: {key} {value!r} is no id: a to z, 0 to 9 and -, at most 64")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, found {value!r}")
    return value


def _known(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise ConfigError(f"{where}: unknown {name!r}; known: {', '.join(known)}")
