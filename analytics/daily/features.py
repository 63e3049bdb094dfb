"""What the learners know of an issue: numbers of the last 75 days at the station, of its drivers, and of the tide from now to the day ahead.

All salinity is on one scale, and but for the level itself it is told as differences, so that one station's days teach another's. Nothing
here names a station. What is not known is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.daily.course import course_columns, tide_columns
from analytics.daily.dressing import Scale
from analytics.daily.drivers import Driver
from analytics.daily.gaussian import SPRINGS, Kernel, ahead
from analytics.daily.panel import Daily, Floats, Index
from analytics.daily.recent import MEMORY, carried, extremes_of, filled, mean_of, recent, spread_of
from analytics.daily.sky import HIGH, LOW, RANGE, Sky, sky

LAGS = 16
RESPONSE = 45  # days a station's own answer to the tide is read from
_FIRM = 3.0  # holds its slopes near 0
_TREND = 0.3  # and its trend
_KNOWN = 12  # values it takes
NEAR = 2  # days ahead that the course of the issue day tells of: docs/decisions/0021
CARRIED = 3  # days a driver's last value stands for

Columns = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of k issues, whatever the lead: `now` (k,) is the value of the day on the scale, `at` (k,) where the day stands in `above`."""

    now: Floats
    columns: Columns
    window: Floats  # (k, MEMORY), short gaps filled
    mean: Floats  # (k, furthest lead), of the Gaussian process
    sd: Floats
    slopes: Floats  # (k, drives)
    above: Sky
    at: Index
    course: Columns | None  # None where one value a day is all that was learned from


def above_days(daily: Daily, furthest: int) -> Sky:
    """The sky from MEMORY − 1 days before the first day of the panel to `furthest` days after its last."""
    return sky(daily.zone, int(daily.days[0].astype(np.int64)) - MEMORY + 1, len(daily.days) + MEMORY - 1 + furthest)


def known(
    daily: Daily,
    day: Index,
    station: Index,
    *,
    scale: Scale,
    kernel: Kernel,
    drivers: tuple[Driver, ...],
    within: bool,
    furthest: int,
    told: tuple[Floats, Floats] | None = None,
) -> Known:
    """Of the issues at the end of `day` (k,) at `station` (k,); `within`: are lowest, mean, evening and last readings of a day values of their own?

    `told`: mean and standard deviation of the Gaussian process where they are worked out already.
    """
    above = above_days(daily, furthest)
    raw = scale.of(recent(daily.target, day, station))
    window, now = filled(raw), raw[:, -1]
    mean, sd = told or ahead(kernel, scale.of(daily.target), above, day, station, furthest)
    columns = {"y": now, **_recent_columns(window, now)}
    if within:
        columns |= _within(daily, day, station, scale, raw)
    for driver in drivers:
        columns |= driver_columns(driver, daily, day, station)
    course = course_columns(daily, day, station, scale, now) if within else None
    return Known(now=now, columns=columns, window=window, mean=mean, sd=sd, slopes=_slopes(raw, above, day), above=above, at=day + MEMORY - 1, course=course)


def _recent_columns(window: Floats, now: Floats) -> dict[str, Floats]:
    found = {f"d{k}": window[:, -1 - k] - now for k in range(1, LAGS + 1)}
    for width in (3, 7, 15, 30):
        found[f"m{width}"] = mean_of(window, width, least=max(2, width // 3)) - now
    for width in (7, 15):
        found[f"s{width}"] = spread_of(window, width, least=max(2, width // 3))
    for width in (15, 30):
        high, low = extremes_of(window, width, least=width // 3)
        found[f"x{width}"], found[f"n{width}"] = high - now, low - now
    found["trend15"] = mean_of(window, 15, least=5) - mean_of(window, 15, back=14, least=5)
    return found


def _within(daily: Daily, day: Index, station: Index, scale: Scale, raw: Floats) -> dict[str, Floats]:
    """Of the day's course, beside what is forecast of it."""
    parts = {name: scale.of(recent(getattr(daily, name), day, station, memory=8)) for name in ("mean", "low", "evening", "last", "high")}
    found = {f"i_{name}": part[:, -1] - raw[:, -1] for name, part in parts.items()}
    for name in ("mean", "low", "evening"):
        found[f"i_{name}_d1"] = found[f"i_{name}"] - (parts[name][:, -2] - raw[:, -2])
    found["mean_d1"] = parts["mean"][:, -1] - filled(parts["mean"])[:, -2]
    return found


def driver_column(driver: str, what: str = "") -> str:
    """The input that is a driver's value, or `what` was made of it. All behind the first colon is the driver's name, whatever it holds."""
    return f"v{what}:{driver}"


def driver_of(column: str) -> str | None:
    """Whose an input is; None of one that is no driver's."""
    return column.partition(":")[2] or None


def driver_columns(driver: Driver, daily: Daily, day: Index, station: Index) -> dict[str, Floats]:
    """Its value, how that changed, its means; NaN where it is not there. Their names: see `driver_column`."""
    given = daily.drivers.get(driver.name)
    if given is None:
        given = np.full(daily.target.shape, np.nan)
    window = carried(driver.standard(recent(given, day, station, memory=30)), days=CARRIED)
    found = {driver_column(driver.name): window[:, -1]}
    for back in (1, 2, 3, 5, 7, 14):
        found[driver_column(driver.name, f"d{back}")] = window[:, -1] - window[:, -1 - back]
    for width in (3, 7, 14, 30):
        found[driver_column(driver.name, f"m{width}")] = mean_of(window, width, least=width // 2)
    return found


def _slopes(raw: Floats, above: Sky, day: Index) -> Floats:
    """A station's own answer to the tide: slopes (k, drives) of its last 45 days, beside a level and a trend; NaN of under 12 values."""
    part = raw[:, -RESPONSE:]
    k, drives = len(part), above.drive.shape[1]
    use = np.nonzero(np.isfinite(part).sum(axis=1) >= _KNOWN)[0]
    found = np.full((k, drives), np.nan)
    gram = np.zeros((len(use), 2 + drives, 2 + drives)) + np.diag([1e-6, _TREND, *[_FIRM / drives] * drives])
    right = np.zeros((len(use), 2 + drives))
    for column, trend in enumerate(np.linspace(-1, 1, RESPONSE)):
        seen = np.isfinite(part[use, column])
        drive = above.drive[day[use] + MEMORY - RESPONSE + column]
        row = np.concatenate((np.ones((len(use), 1)), np.full((len(use), 1), trend), drive), axis=1) * seen[:, None]
        gram += row[:, :, None] * row[:, None, :]
        right += row * np.where(seen, part[use, column], 0.0)[:, None]
    found[use] = np.linalg.solve(gram, right[:, :, None])[:, 2:, 0]
    return found


def inputs(found: Known, lead: int) -> dict[str, Floats]:
    """Every column (k,) for a lead, by name."""
    course = found.course if found.course is not None and lead <= NEAR else {}
    return {**found.columns, **course, **_analogues(found, lead), **_sky(found, lead), **_own(found, lead)}


def _analogues(found: Known, lead: int) -> dict[str, Floats]:
    """The same phase of springs and neaps one and two cycles before the day ahead, and how that differs from the same before today."""
    columns = {}
    for n, name in ((1, "a14"), (2, "a29")):
        if lead < n * SPRINGS:
            then, now = _back(found.window, n * SPRINGS - lead), _back(found.window, n * SPRINGS)
            columns[name], columns[f"{name}_d"] = then - found.now, then - now
    return columns


def _back(window: Floats, days: float) -> Floats:
    whole = int(days)
    share = days - whole
    return (1 - share) * window[:, -1 - whole] + share * window[:, -2 - whole]


def _sky(found: Known, lead: int) -> dict[str, Floats]:
    tide, now, then = found.above.tide, found.at, found.at + lead
    columns = {}
    for column, name in ((HIGH, "th"), (LOW, "tl"), (RANGE, "tr")):
        columns[f"{name}_now"], columns[f"{name}_then"] = tide[now, column], tide[then, column]
        columns[f"{name}_chg"] = tide[then, column] - tide[now, column]
    for back in (1, 2, 3):
        for column, name in ((RANGE, "tr"), (HIGH, "th")):
            columns[f"{name}_chg{back}"] = tide[then - back, column] - tide[now, column]
    for width in (3, 7):
        for column, name in ((RANGE, "tr"), (HIGH, "th")):
            columns[f"{name}_m{width}"] = sum((tide[then - j, column] - tide[now - j, column] for j in range(width)), np.zeros(len(now))) / width
    if found.course is not None:
        columns |= tide_columns(found.above.course, now, then)
    for j in range(found.above.beats.shape[1]):
        columns[f"beat{j}"] = found.above.beats[then, j]
    columns["yc"], columns["ys"] = found.above.year[then, 0], found.above.year[then, 1]
    return columns


def _own(found: Known, lead: int) -> dict[str, Floats]:
    """What the station's own answer to the tide and its Gaussian process say."""
    step = found.above.drive[found.at + lead] - found.above.drive[found.at]
    response, size = np.zeros(len(found.now)), np.zeros(len(found.now))
    for j in range(step.shape[1]):
        response += found.slopes[:, j] * step[:, j]
        size += found.slopes[:, j] ** 2
    return {"resp": response, "resp_size": np.sqrt(size), "gp": found.mean[:, lead - 1] - found.now, "gp_sd": found.sd[:, lead - 1]}
