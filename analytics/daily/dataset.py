"""A folder of CSV files, as a dataset's TOML tells of it, made into the days that models are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from analytics.daily.columns import Readings, in_order, readings
from analytics.daily.counting import most_lately
from analytics.daily.fills import fills, told
from analytics.daily.panel import TWELFTHS, Daily, Days, Floats, Index
from analytics.daily.spec import Driver, Spec
from analytics.daily.units import CONVERTED, Unit, unit_of
from analytics.daily.verify import POOLED
from core.errors import ConfigError
from core.table import ReadTable

EVENING = 16  # local hour from which the evening counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The target as it was read, (r,) each, by station and time: `station` indexes the stations of the dataset, `time` datetime64[s] of UTC."""

    station: Index
    time: NDArray[np.datetime64]
    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What one TOML file stands for. `lines` are the thresholds, in `unit`; `scored` the stations whose forecasts count; `notes` what was passed over.

    `statistic` is what of a day is the target: max, min or mean.
    """

    source: str
    name: str
    unit: str
    daily: Daily
    rows: Rows
    lines: tuple[float, ...]
    leads: tuple[int, ...]
    train_until: np.datetime64
    test_from: np.datetime64
    test_until: np.datetime64
    scored: tuple[str, ...]
    notes: tuple[str, ...]
    statistic: str = "max"


def dataset(spec: Spec, read: ReadTable) -> Dataset:
    """Read the tables and count their days. Raises ConfigError: one line that names file, key, value and the way out.

    A day counts where anything was read on it, as in the scores others publish. `test_until` is the last day of the data where none is given.
    """
    target, unit, notes = _target(spec, read)
    first, last = int(target.day.min()), int(target.day.max())
    days = np.arange(first, last + 1).astype("datetime64[D]")
    until, start, end = _split(spec, days)
    values = _by_day(target, first, len(days))
    scored = target.names if spec.scored is None else spec.scored
    _known("score_stations", f"{spec.source}:", scored, target.names)
    daily = Daily(
        zone=spec.zone,
        days=days,
        stations=target.names,
        target={"max": values.high, "min": values.low, "mean": values.mean}[spec.daily],
        high=values.high,
        low=values.low,
        mean=values.mean,
        last=values.last,
        evening=values.evening,
        drivers=_drivers(spec, read, target.names, first, len(days), notes),
        course=values.course,
    )
    rows = Rows(station=target.name, time=target.time.astype("datetime64[s]"), value=target.value)
    return Dataset(
        source=spec.source,
        name=spec.name,
        unit=unit,
        daily=daily,
        rows=rows,
        lines=spec.lines,
        leads=spec.leads,
        train_until=until,
        test_from=start,
        test_until=end,
        scored=scored,
        notes=tuple(notes),
        statistic=spec.daily,
    )


def _target(spec: Spec, read: ReadTable) -> tuple[Readings, str, list[str]]:
    where = f"{spec.source}: [target]"
    found = readings(spec.target, where, spec.zone, read)
    if POOLED in found.names:
        raise ConfigError(f"{where}: a station of {spec.target.file} is called {POOLED!r}, as all together are in the scores: give it another name")
    unit = unit_of(spec.unit)
    value, notes = _measured(found, unit, spec)
    found = replace(found, value=value).where(np.isfinite(value))
    found, repeated = in_order(found)
    if repeated:
        notes.append(f"{repeated} values repeat a station and time of {spec.target.file}: the last of each counts")
    there = [found.names[n] for n in np.unique(found.name)]
    if not there:
        raise ConfigError(f"{where}: {spec.target.file} holds no number")
    if spec.stations is not None:
        _known("stations", where, spec.stations, there)
    elif len(there) < len(found.names):
        notes.append(f"without any value in {spec.target.file}, and left out: {', '.join(sorted(set(found.names) - set(there)))}")
    return _only(found, sorted(there if spec.stations is None else spec.stations)), unit.name, notes


def _measured(found: Readings, unit: Unit, spec: Spec) -> tuple[Floats, list[str]]:
    """Values in the unit they are shown in, NaN for what is no measurement; and what there is to tell of them."""
    filled = fills(found, spec.train_until, unit.most)
    notes = told(found, filled, spec.target.file)
    what, ec = "concentrations" if unit.concentration else "conductivities", unit.factor is not None
    below = ~filled & (found.value < 0) & (unit.concentration or ec)
    if below.any():
        notes.append(f"{int(below.sum())} {what} below zero are left out")
    over = ~filled & (found.value > unit.most) & ec  # TEOS-10 would make fresh water of them
    if over.any():
        notes.append(f"{int(over.sum())} {what} over {unit.most:g} {spec.unit}, more than any water has, are left out: is the unit right?")
    if not unit.concentration and not ec:
        notes.append(f"unit {spec.unit} is not one that is converted (known: {CONVERTED}): values are kept as they are")
    return unit.converted(np.where(filled | below | over, np.nan, found.value)), notes


def _only(found: Readings, names: Sequence[str]) -> Readings:
    """The readings of these names, numbered by them."""
    place = np.array([names.index(name) if name in names else -1 for name in found.names], dtype=np.int64)
    taken = found.where(place[found.name] >= 0)
    numbered = Readings(names=tuple(names), name=place[taken.name], time=taken.time, day=taken.day, hour=taken.hour, value=taken.value)
    return numbered.where(np.lexsort((numbered.time, numbered.name)).astype(np.int64))


def _known(key: str, where: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            more = f" and {len(there) - 12} more" if len(there) > 12 else ""
            raise ConfigError(f"{where} {key}: no value of {name!r} is there; there are {', '.join(there[:12])}{more}")


def _split(spec: Spec, days: Days) -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    def given(key: str, day: date | None) -> np.datetime64:
        if day is None:
            raise ConfigError(f"{spec.source}: {key} is missing: write {key} = 2021-12-31 there, or give --{key.replace('_', '-')} 2021-12-31")
        return np.datetime64(day, "D")

    until, start = given("train_until", spec.train_until), given("test_from", spec.test_from)
    end = days[-1] if spec.test_until is None else np.datetime64(spec.test_until, "D")
    if until >= start:
        raise ConfigError(f"{spec.source}: train_until {until} is not before test_from {start}: a model would be tested on days it learned from")
    if spec.test_until is not None and end < start:
        raise ConfigError(f"{spec.source}: test_until {end} is before test_from {start}")
    return until, start, end


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    high: Floats
    low: Floats
    mean: Floats
    last: Floats
    evening: Floats
    course: Floats


def _by_day(found: Readings, first: int, n: int) -> _Values:
    """What each day (row) and name (column) held."""
    m = len(found.names)
    group = found.name * n + found.day - first
    order = np.lexsort((found.time, group))
    group, value = group[order], found.value[order]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    taken = group[starts]

    def spread(values: Floats) -> Floats:
        whole = np.full(m * n, np.nan)
        whole[taken] = values
        return np.ascontiguousarray(whole.reshape(m, n).T)

    count = np.diff(np.r_[starts, len(group)])
    last = spread(value[np.r_[starts[1:], len(group)] - 1])
    late = found.hour[order] >= EVENING
    evening = _mean(group[late], value[late], n, m)
    daily = np.zeros(m * n, dtype=np.int64)
    daily[taken] = count
    course = _mean(group * TWELFTHS + found.hour[order] * TWELFTHS // 24, value, n * TWELFTHS, m)
    once = most_lately(daily.reshape(m, n).T) <= 1  # one value a day lately: whatever its hour, it is the evening's too
    return _Values(
        high=spread(np.maximum.reduceat(value, starts)),
        low=spread(np.minimum.reduceat(value, starts)),
        mean=_mean(group, value, n, m),
        last=last,
        evening=np.where(once, last, evening),
        course=course.reshape(n, TWELFTHS, m).transpose(1, 0, 2),
    )


def _mean(group: Index, value: Floats, n: int, m: int) -> Floats:
    count, total = np.bincount(group, minlength=n * m), np.bincount(group, value, n * m)
    mean = np.divide(total, count, out=np.full(n * m, np.nan), where=count > 0)
    return np.ascontiguousarray(mean.reshape(m, n).T)


def _drivers(spec: Spec, read: ReadTable, stations: tuple[str, ...], first: int, n: int, notes: list[str]) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    borne: dict[str, set[str]] = {}
    for number, driver in enumerate(spec.drivers, 1):
        where = f"{spec.source}: [[driver]] {number}"
        for name, values, bears in _driver(driver, where, spec, read, stations, first, n, notes):
            twice = sorted(borne.setdefault(name, set()) & bears)
            if twice:
                raise ConfigError(f"{where}: {name} is told twice for {twice[0]}: give one of them another name, or lists of stations that do not meet")
            borne[name] |= bears
            if not np.isfinite(values).any():
                notes.append(f"{name} of {driver.columns.file} has no value on the days of the target")
            found[name] = np.where(np.isfinite(values), values, found.get(name, np.nan))
    return found


def _driver(
    driver: Driver, where: str, spec: Spec, read: ReadTable, stations: tuple[str, ...], first: int, n: int, notes: list[str]
) -> list[tuple[str, Floats, set[str]]]:
    """(name, (n, m), the stations it bears on) of each quantity: a day's mean, NaN at stations it does not bear on."""
    _known("stations", where, driver.stations or (), stations)
    found = readings(driver.columns, where, spec.zone, read)
    filled = fills(found, spec.train_until)
    notes += told(found, filled, driver.columns.file)
    rows, repeated = in_order(found.where(~filled))
    if repeated:
        notes.append(f"{repeated} values repeat a name and time of {driver.columns.file}: the last of each counts")
    rows = rows.where((rows.day >= first) & (rows.day < first + n))
    means = _mean(rows.name * n + rows.day - first, rows.value, n, len(rows.names))
    if driver.own:
        met = {name for name in rows.names if name in stations}
        if not met:
            raise ConfigError(f'{where}: none of the stations of {driver.columns.file} is a target; with stations = "all" each bears on all of them')
        own = [means[:, rows.names.index(name)] if name in met else np.full(n, np.nan) for name in stations]
        return [(driver.name, np.stack(own, axis=1), met)]
    bears = set(stations if driver.stations is None else driver.stations)
    mask = np.array([name in bears for name in stations])
    label = (lambda name: name) if driver.columns.wide else (lambda name: f"{driver.name}.{name}")
    return [(label(name), np.where(mask[None, :], means[:, [at]], np.nan), bears) for at, name in enumerate(rows.names)]
