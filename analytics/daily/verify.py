"""The scores of one lead, of all stations together and of each, as `canhman backtest --json` prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Daily, Pairs
from analytics.daily.references import References
from analytics.daily.rows import Rows
from analytics.daily.scores import NOTHING_TO_WIN, bias, brier, coverage, crps_quantiles, false_alarm_ratio, hit_rate, nse, rmse, skill, within_30pct
from analytics.daily.skill import Blocks, skill_interval

POOLED = "*"
_LOWER, _UPPER = LEVELS.index(0.05), LEVELS.index(0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of `n` forecasts at one station (`*`: all together): of values where `threshold` is None, else of P(target > threshold).

    None where a score does not exist, or belongs to the other kind; `bss_*` are Brier skill scores against the reference named (None where it is all but
    perfect), `_lo` and `_hi` the ends of the 95 % interval by 15-day blocks (None where there are too few, or nothing bounds it).
    """

    station: str
    lead_days: int
    threshold: float | None
    n: int
    prevalence: float | None = None
    rmse: float | None = None
    rmse_persistence: float | None = None
    rmse_climatology: float | None = None
    nse: float | None = None
    bias: float | None = None
    crps: float | None = None
    coverage90: float | None = None
    within_30pct: float | None = None
    brier: float | None = None
    bss_climatology: float | None = None
    bss_persistence: float | None = None
    bss_logistic: float | None = None
    bss_logistic_lo: float | None = None
    bss_logistic_hi: float | None = None
    hit_rate: float | None = None
    false_alarm_ratio: float | None = None


def score(daily: Daily, pairs: Pairs, said: Said, lines: Sequence[float], references: References) -> list[Score]:
    """Pooled first, then each station that `pairs` name, in the order of `daily`: one Score of values, then one for each line.

    Forecast and references are compared on the same rows (`scored_rows`); `n` counts them, 0 where a station is never spoken of. The order of
    the rows changes nothing.
    """
    rows = Rows.of(daily, pairs, said, lines, references)
    found = _scores(POOLED, pairs.lead, rows, lines)
    for i in np.unique(pairs.station).tolist():
        found += _scores(daily.stations[i], pairs.lead, rows.at(rows.station == i), lines)
    return found


def _scores(name: str, lead: int, rows: Rows, lines: Sequence[float]) -> list[Score]:
    blocks = Blocks.of(rows.day)
    events = (_of_event(name, lead, rows, i, line, blocks) for i, line in enumerate(lines))
    return [_of_values(name, lead, rows), *events]


def _of_values(name: str, lead: int, rows: Rows) -> Score:
    crps = crps_quantiles(rows.quantiles, np.array(LEVELS), rows.truth)
    return Score(
        station=name,
        lead_days=lead,
        threshold=None,
        n=len(rows.truth),
        rmse=_number(rmse(rows.point, rows.truth)),
        rmse_persistence=_number(rmse(rows.persistence, rows.truth)),
        rmse_climatology=_number(rmse(rows.climatology, rows.truth)),
        nse=_number(nse(rows.point, rows.truth)),
        bias=_number(bias(rows.point, rows.truth)),
        crps=float(crps.mean()) if len(crps) else None,
        coverage90=_number(coverage(rows.quantiles[:, _LOWER], rows.quantiles[:, _UPPER], rows.truth)),
        within_30pct=_number(within_30pct(rows.point, rows.truth)),
    )


def _of_event(name: str, lead: int, rows: Rows, i: int, line: float, blocks: Blocks) -> Score:
    event, p, logistic = rows.truth > line, rows.p_gt[:, i], rows.p_logistic[:, i]
    against = skill_interval((p - event) ** 2, (logistic - event) ** 2, blocks, least=NOTHING_TO_WIN)
    own = brier(p, event)
    return Score(
        station=name,
        lead_days=lead,
        threshold=float(line),
        n=len(event),
        prevalence=float(event.mean()) if len(event) else None,
        brier=_number(own),
        bss_climatology=_number(skill(own, brier(rows.p_climatology[:, i], event), NOTHING_TO_WIN)),
        bss_persistence=_number(skill(own, brier(rows.p_persistence[:, i], event), NOTHING_TO_WIN)),
        bss_logistic=_number(against.value),
        bss_logistic_lo=_number(against.lo),
        bss_logistic_hi=_number(against.hi),
        hit_rate=_number(hit_rate(p, event)),
        false_alarm_ratio=_number(false_alarm_ratio(p, event)),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
