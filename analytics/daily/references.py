"""What every forecast of days is measured against: persistence, climatology, logistic persistence, fitted on training days only.

*Persistence*: tomorrow is as today; as a probability 0 or 1. *Climatology*: the mean of a station's training days, and how often they were over
the line; of all trained stations' days where the station was not trained. *Logistic persistence*, the honest bar: a logistic regression of "over
the line on the day ahead" on today's value, one for all trained stations together. A second thing it knows depends on the months in which
training issues stand, never on a set's name: with ten or more of the twelve the years are whole and it knows the season (cosine and sine of the
day of the year); with fewer (dry seasons only) it knows the mean of the last 7 days, of those that were observed. `curved`, it knows log1p of both
instead: the model `logistic` does (docs/decisions/0021-model-of-days.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.panel import Daily, Days, Floats, Pairs
from analytics.daily.scores import Mask
from core.errors import ConfigError

WHOLE_YEAR_MONTHS = 10
WEEK_DAYS = 7
_C = 1e4  # as good as unpenalised; it keeps the weights finite where a value alone tells the events apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the references say of k rows: values (k,), P(target > line) (k, lines)."""

    persistence: Floats
    climatology: Floats
    p_persistence: Floats
    p_climatology: Floats
    p_logistic: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """Mean of training days, and share of them over each line (lines,)."""

    mean: float
    over: Floats

    @classmethod
    def of(cls, values: Floats, lines: Floats) -> Climate:
        """Of observed values (n,), n ≥ 1."""
        return cls(mean=float(values.mean()), over=(values[:, None] > lines).mean(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """P = 1/(1 + exp(−(intercept + x·weights))); the intercept is ±inf where training saw no event, or nothing else."""

    intercept: float
    weights: Floats

    def p(self, x: Floats) -> Floats:
        """Of features (k, f)."""
        found: Floats = 0.5 + 0.5 * np.tanh(0.5 * (self.intercept + x @ self.weights))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The fitted references of one lead; `climate` by station id, `pooled` for those it does not hold."""

    lead: int
    lines: tuple[float, ...]
    whole_year: bool
    pooled: Climate
    climate: Mapping[str, Climate]
    curved: bool
    logistic: tuple[Logistic, ...]

    def say(self, daily: Daily, pairs: Pairs) -> Stated:
        """For these issues, from days up to and with each issue's."""
        if pairs.lead != self.lead:
            raise ConfigError(f"references fitted for lead {self.lead} are asked for lead {pairs.lead}: fit them for each lead")
        today = daily.target[pairs.day, pairs.station]
        stations = [self.climate.get(name, self.pooled) for name in daily.stations]
        x = features(daily, pairs, whole_year=self.whole_year, curved=self.curved)
        return Stated(
            persistence=today,
            climatology=np.array([c.mean for c in stations])[pairs.station],
            p_persistence=(today[:, None] > np.array(self.lines)).astype(np.float64),
            p_climatology=np.array([c.over for c in stations])[pairs.station],
            p_logistic=np.stack([one.p(x) for one in self.logistic], axis=1) if self.logistic else np.empty((len(today), 0)),
        )


def fit_references(train: Daily, trained: Mask, lead: int, lines: Sequence[float], *, curved: bool = False) -> References:
    """From `train`, which holds training days and no others, at the stations of the mask `trained` (m,)."""
    if trained.shape != (len(train.stations),):
        raise ConfigError(f"a mask of shape {trained.shape} for {len(train.stations)} stations: one true or false for each")
    pairs = Pairs.of(train, lead)
    pairs = pairs.where(trained[pairs.station])
    if not len(pairs.day):
        raise ConfigError(
            f"lead {lead}: no two observed days {lead} apart among {len(train.days)} training days at {int(trained.sum())} stations: "
            "end the training later, or leave out this lead"
        )
    levels = np.array(lines, dtype=np.float64)
    observed = {name: column[np.isfinite(column)] for name, column, wanted in zip(train.stations, train.came.T, trained, strict=True) if wanted}
    whole_year = has_whole_years(train, pairs)
    x, truth = features(train, pairs, whole_year=whole_year, curved=curved), pairs.truth(train)
    return References(
        lead=lead,
        lines=tuple(lines),
        whole_year=whole_year,
        pooled=Climate.of(np.concatenate(list(observed.values())), levels),
        climate={name: Climate.of(values, levels) for name, values in observed.items() if len(values)},
        curved=curved,
        logistic=tuple(fit_logistic(x, truth > line) for line in lines),
    )


def has_whole_years(daily: Daily, pairs: Pairs) -> bool:
    """Do these issues stand in nearly every month?"""
    return len(np.unique(daily.days[pairs.day].astype("datetime64[M]").astype(np.int64) % 12)) >= WHOLE_YEAR_MONTHS


def features(daily: Daily, pairs: Pairs, *, whole_year: bool, curved: bool = False) -> Floats:
    """What logistic persistence knows (k, f). `curved`: log1p of values, those below 0 count as 0."""
    today = daily.target[pairs.day, pairs.station]
    if whole_year:
        return np.stack([_log(today) if curved else today, *season(daily.days[pairs.day])], axis=1)
    both = np.stack([today, week_mean(daily.target)[pairs.day, pairs.station]], axis=1)
    return _log(both) if curved else both


def season(days: Days) -> tuple[Floats, Floats]:
    """Cosine and sine of the day of the year."""
    turn = 2.0 * np.pi * (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64) / 365.25
    return np.cos(turn), np.sin(turn)


def week_mean(values: Floats) -> Floats:
    """(n, m) → mean of what was observed on each day and the six before it; NaN where nothing was."""
    total, n = np.zeros(values.shape), np.zeros(values.shape)
    for back in range(min(WEEK_DAYS, len(values))):
        shifted = values[: len(values) - back]
        seen = np.isfinite(shifted)
        total[back:] += np.where(seen, shifted, 0.0)
        n[back:] += seen
    found: Floats = np.divide(total, n, out=np.full(values.shape, np.nan), where=n > 0)
    return found


def fit_logistic(x: Floats, event: Mask) -> Logistic:
    """Of features (k, f), and whether the line was passed (k,)."""
    from sklearn.linear_model import LogisticRegression  # costs seconds: only what trains pays

    if event.all() or not event.any():
        return Logistic(intercept=float("inf") if event.all() else float("-inf"), weights=np.zeros(x.shape[1]))
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=_C, solver="newton-cholesky", max_iter=1000).fit((x - middle) / spread, event)
    weights = fitted.coef_[0] / spread
    return Logistic(intercept=float(fitted.intercept_[0] - middle @ weights), weights=weights)


def _log(values: Floats) -> Floats:
    return np.log1p(np.maximum(values, 0.0))
