"""What a backtest came to, as plain figures: scores with their intervals, the odds, and each baseline beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analytics.daily.backtest import Held, Result
from analytics.daily.compare import against
from analytics.daily.intervals import nse_interval, rmse_interval, share_interval
from analytics.daily.model import LEVELS
from analytics.daily.panel import Floats
from analytics.daily.reliability import reliability_table
from analytics.daily.scores import Mask
from analytics.daily.skill import Blocks, Interval
from analytics.daily.verify import POOLED, Score

_LOW, _HIGH = LEVELS.index(0.05), LEVELS.index(0.95)


def of(result: Result, baselines: Mapping[str, Result]) -> dict[str, Any]:
    """Everything of one set; `baselines` are other models tried on the same."""
    data = result.dataset
    return {
        "name": data.name,
        "unit": data.unit,
        "model": result.model,
        "version": result.version,
        "train_until": str(data.train_until),
        "test_from": str(data.test_from),
        "test_until": str(data.test_until),
        "stations": list(data.scored),
        "drivers": sorted(data.daily.drivers),
        "lines": list(data.lines),
        "leads": [_lead(result, at, baselines) for at in range(len(result.held))],
    }


def _lead(result: Result, at: int, baselines: Mapping[str, Result]) -> dict[str, Any]:
    held, lines = result.held[at], result.dataset.lines
    everywhere = np.ones(len(held.pairs.day), dtype=bool)
    return {
        "lead": held.pairs.lead,
        **_values(result, held, everywhere, _score(held, POOLED, None)),
        "over": [_over(result, held, i) for i in range(len(lines))],
        "stations": [_station(result, held, i) for i in np.unique(held.pairs.station).tolist()],
        "baselines": list(_baselines(result, held, {name: other.held[at] for name, other in baselines.items()})),
    }


def _values(result: Result, held: Held, rows: Mask, score: Score) -> dict[str, Any]:
    truth, point = held.pairs.truth(result.daily)[rows], held.said.point[rows]
    low, high = held.said.quantiles[rows, _LOW], held.said.quantiles[rows, _HIGH]
    blocks = Blocks.of(held.pairs.day[rows])
    return {
        "n": score.n,
        "rmse": ends(rmse_interval(point, truth, blocks)),
        "rmse_persistence": brief(score.rmse_persistence),
        "rmse_climatology": brief(score.rmse_climatology),
        "nse": ends(nse_interval(point, truth, blocks)),
        "bias": brief(score.bias),
        "crps": brief(score.crps),
        "within_30pct": brief(score.within_30pct),
        "coverage90": ends(share_interval((low <= truth) & (truth <= high), blocks)),
    }


def _station(result: Result, held: Held, at: int) -> dict[str, Any]:
    name, rows = result.daily.stations[at], held.pairs.station == at
    truth = held.pairs.truth(result.daily)[rows]
    found = _values(result, held, rows, _score(held, name, None))
    learned = result.dataset.daily.target[result.dataset.daily.days <= result.dataset.train_until, at]
    spread = {"mean": brief(float(truth.mean())), "sd": brief(float(truth.std())), "highest": brief(float(truth.max())), "learned_mean": _mean(learned)}
    return {"station": name, **spread, **found}


def _mean(values: Floats) -> float | None:
    seen = values[np.isfinite(values)]
    return brief(float(seen.mean())) if len(seen) else None


def _over(result: Result, held: Held, i: int) -> dict[str, Any]:
    line = result.dataset.lines[i]
    score = _score(held, POOLED, line)
    bins = reliability_table(held.said.p_gt[:, i], held.pairs.truth(result.daily) > line, held.pairs.day)
    return {
        "line": line,
        "prevalence": brief(score.prevalence),
        "brier": brief(score.brier),
        "skill": [brief(score.bss_logistic), brief(score.bss_logistic_lo), brief(score.bss_logistic_hi)],
        "vs_persistence": brief(score.bss_persistence),
        "vs_climatology": brief(score.bss_climatology),
        "hit_rate": brief(score.hit_rate),
        "false_alarm_ratio": brief(score.false_alarm_ratio),
        "odds": [{"n": b.n, "said": brief(b.said), "came": [brief(b.observed), brief(b.observed_lo), brief(b.observed_hi)]} for b in bins],
    }


def _score(held: Held, station: str, line: float | None) -> Score:
    return next(one for one in held.scores if one.station == station and one.threshold == line)


def _baselines(result: Result, held: Held, others: Mapping[str, Held]) -> Iterable[dict[str, Any]]:
    for name, other in others.items():
        for one in against(result.daily, (held.pairs, held.said), (other.pairs, other.said), result.dataset.lines):
            yield {"model": name, "measure": one.measure, "line": one.threshold, "n": one.n, "loss": brief(one.loss), "skill": ends(one.skill)}


def ends(interval: Interval) -> list[float | None]:
    """Value, lower and upper end."""
    return [brief(interval.value), brief(interval.lo), brief(interval.hi)]


def brief(value: float | None) -> float | None:
    """Four digits; None for what is no number. −∞, where nothing bounds an interval, is none either."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def rounded(found: Any) -> Any:
    """Every number in it with four digits."""
    if isinstance(found, float):
        return brief(found)
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    return [rounded(value) for value in found] if isinstance(found, list | tuple) else found
