"""A backtest's scores as tables for people: by lead, by lead and threshold, by station."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.daily.backtest import Held, Result
from analytics.daily.reliability import brier_parts
from analytics.daily.verify import POOLED, Score

NOTHING = "nothing was scored"
SAME = 1e-9  # of skill: rounding, no difference
VALUES = ("Days ahead", "n", "RMSE", "Persistence", "Climatology", "Against persistence", "NSE", "Bias", "CRPS", "In 90 %", "Within 30 %")
EVENTS = ("Days ahead", "Over", "Came", "Brier", "Reliab.", "Resol.", "Uncert.", "vs climat.", "vs persist.", "vs logistic (95 %)", "That is", "Hits", "False")


def shortest(value: float) -> str:
    """A number as short as it can be written and still be told from every other."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def head(result: Result) -> str:
    """The line above the tables."""
    data = result.dataset
    where = f"{len(data.scored)} stations" if len(data.scored) > 1 else data.scored[0]
    when = f"trained to {data.train_until}, tested {data.test_from} to {data.test_until}"
    return f"{data.name}: {where}, {data.unit}; model {result.model} {result.version}, {when}"


def value_rows(result: Result) -> list[tuple[object, ...]]:
    """By lead, all stations together: how far the values were off."""
    rows: list[tuple[object, ...]] = []
    for held, one in _scores(result, POOLED):
        if one.threshold is None:
            skills = [c.skill for c in held.comparisons if c.threshold is None and c.reference == "persistence"]
            verdict = f"{_than(one.rmse, one.rmse_persistence)}: {_word(skills[0].lo, skills[0].hi)}" if skills and one.rmse_persistence else "–"
            figures = (_n(one.rmse), _n(one.rmse_persistence), _n(one.rmse_climatology), verdict, _n(one.nse), _n(one.bias), _n(one.crps))
            rows.append((one.lead_days, one.n, *figures, _percent(one.coverage90), _percent(one.within_30pct)))
    return rows


def event_rows(result: Result) -> list[tuple[object, ...]]:
    """By lead and threshold, all stations together: how good the probabilities were."""
    rows: list[tuple[object, ...]] = []
    for held, one in _scores(result, POOLED):
        if one.threshold is not None:
            at = result.dataset.lines.index(one.threshold)
            parts = brier_parts(held.said.p_gt[:, at], held.pairs.truth(result.daily) > one.threshold)
            brier = (_n(one.brier, 3), _n(parts.reliability, 3), _n(parts.resolution, 3), _n(parts.uncertainty, 3))
            against = f"{_n(one.bss_logistic)} ({_n(one.bss_logistic_lo)} to {_n(one.bss_logistic_hi)})"
            skills = (_n(one.bss_climatology), _n(one.bss_persistence), against, _verdict(one))
            warned = (_percent(one.hit_rate), _percent(one.false_alarm_ratio))
            rows.append((one.lead_days, shortest(one.threshold), _percent(one.prevalence), *brier, *skills, *warned))
    return rows


def station_columns(result: Result) -> list[str]:
    """The first row of `station_rows`."""
    return ["Station", *(f"{held.pairs.lead} d: RMSE, NSE, in 90 %" for held in result.held)]


def station_rows(result: Result) -> list[tuple[object, ...]]:
    """Each station's values, a column for each lead; none where there is one station, which the other tables tell of."""
    by_station: dict[str, dict[int, str]] = {}
    for held in result.held:
        for one in held.scores:
            if one.station != POOLED and one.threshold is None:
                cells = by_station.setdefault(one.station, {})
                cells[one.lead_days] = f"{_n(one.rmse)}  {_n(one.nse)}  {_percent(one.coverage90)}"
    if len(by_station) == 1:
        return []
    return [(name, *(cells.get(held.pairs.lead, "–") for held in result.held)) for name, cells in sorted(by_station.items())]


def _scores(result: Result, station: str) -> Iterator[tuple[Held, Score]]:
    return ((held, one) for held in result.held for one in held.scores if one.station == station)


def _verdict(one: Score) -> str:
    """Of odds against logistic persistence."""
    if one.bss_logistic is not None or one.prevalence is None:
        return _word(one.bss_logistic_lo, one.bss_logistic_hi)
    return {0.0: "it never came", 1.0: "it always came"}.get(one.prevalence, "nothing to win")


def _word(lo: float | None, hi: float | None) -> str:
    """What an interval of skill says."""
    if hi is None or np.isnan(hi):
        return "too few days to tell"
    if hi < -SAME:
        return "significantly worse"
    return "significantly better" if lo is not None and lo > SAME else "no significant difference"


def _than(own: float | None, other: float | None) -> str:
    if own is None or not other:
        return "–"
    change = round(100 * (own / other - 1))
    return "equal" if not change else f"{abs(change)} % {'worse' if change > 0 else 'better'}"


def _n(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
