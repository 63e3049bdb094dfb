"""Which days of which places a model learns from, and what it is shown when it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analytics.daily.dataset import Dataset
from analytics.daily.panel import TWELFTHS, Daily, Floats
from analytics.daily.units import same_unit
from core.errors import ConfigError
from core.zones import canonical

_ARRAYS = ("target", "high", "low", "mean", "last", "evening")


def training_panel(dataset: Dataset, train: Dataset | None) -> tuple[Daily, tuple[str, ...]]:
    """The days up to train_until, of `dataset` or of the other places of `train`; and what there is to tell of it. Raises ConfigError.

    A station of both, over the same days, is one and the same place: it is left out, since `train` is to be other places. Where the
    two have no day of it in common, `train` holds its earlier years, and it stays.
    """
    if train is None:
        return _until(dataset.daily, dataset), ()
    if not same_unit(train.unit, dataset.unit):
        raise ConfigError(f"{train.source} is in {train.unit} and {dataset.source} in {dataset.unit}: train on a set in the same unit")
    if train.statistic != dataset.statistic:
        raise ConfigError(f'{train.source} has daily = "{train.statistic}" and {dataset.source} "{dataset.statistic}": train on a set of the same')
    same = {name for name in train.daily.stations if name in dataset.daily.stations and _meet(train.daily, dataset.daily, name)}
    kept = np.array([i for i, name in enumerate(train.daily.stations) if name not in same], dtype=np.intp)
    if not len(kept):
        raise ConfigError(f"every station of {train.source} is one of {dataset.source}: there is no other place to train on; leave --train out")
    notes = [*train.notes]
    if same:
        notes.append(f"{len(same)} stations of {train.source} are in {dataset.source} too and are not learned from: {', '.join(sorted(same))}")
    learned = _until(train.daily.only(kept), dataset)
    for one, other in ((train, dataset), (dataset, train)):
        only = sorted(set(one.daily.drivers) - set(other.daily.drivers))
        if only:
            notes.append(f"{one.source} has drivers that {other.source} has not: {', '.join(only)}")
    return learned, tuple(notes)


def asked_panel(dataset: Dataset, train: Dataset | None, learned: Daily) -> Daily:
    """What the model is shown: the days of `dataset`; with other places of the same time zone beside it, as neighbours. Its drivers are those of `learned`."""
    if train is None:
        return dataset.daily
    own, other = dataset.daily, train.daily
    joined = _joined(own, other) if canonical(own.zone) == canonical(other.zone) else own
    missing = np.full(joined.target.shape, np.nan)
    return replace(joined, drivers={name: joined.drivers.get(name, missing) for name in learned.drivers})


def _until(daily: Daily, dataset: Dataset) -> Daily:
    return daily.first(int((daily.days <= dataset.train_until).sum()))


def _meet(one: Daily, other: Daily, name: str) -> bool:
    """Has a station values of the same day in both?"""
    here, there = (d.days[np.isfinite(d.target[:, d.stations.index(name)])] for d in (one, other))
    return bool(np.isin(here, there).any())


def _joined(own: Daily, other: Daily) -> Daily:
    """Days and stations of both; where both have a value it is `own`'s."""
    first, last = min(own.days[0], other.days[0]), max(own.days[-1], other.days[-1])
    days = np.arange(first, last + np.timedelta64(1, "D"))
    stations = tuple(sorted({*own.stations, *other.stations}))

    def spread(one: Daily, values: Floats) -> Floats:
        whole = np.full((len(days), len(stations)), np.nan)
        start = int((one.days[0] - first).astype(np.int64))
        whole[start : start + len(one.days), [stations.index(name) for name in one.stations]] = values
        return whole

    def both(a: Floats, b: Floats) -> Floats:
        return np.where(np.isfinite(a), a, b)

    arrays: dict[str, Any] = {key: both(spread(own, getattr(own, key)), spread(other, getattr(other, key))) for key in _ARRAYS}
    nothing = np.full((len(days), len(stations)), np.nan)
    drivers = {
        name: both(*(spread(one, one.drivers[name]) if name in one.drivers else nothing for one in (own, other)))
        for name in sorted({*own.drivers, *other.drivers})
    }
    course = np.stack([both(*(nothing if one.course is None else spread(one, one.course[k]) for one in (own, other))) for k in range(TWELFTHS)])
    return replace(own, days=days, stations=stations, drivers=drivers, course=course, **arrays)
