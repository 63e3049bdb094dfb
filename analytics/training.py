"""A candidate, fitted on all days but the last ones, and what it, the one that speaks and the baselines said of those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.daily.model import LEVELS, Fitted, Said, day_models
from analytics.daily.panel import Daily, Days, Floats, Pairs
from analytics.forecast_config import Training
from analytics.learned import FITTED_LEADS
from analytics.promotion import Claim, Mask
from core.bands import LINES

DAY_TARGETS = ("day_max", "day_min")
LEADS = tuple(FITTED_LEADS)  # of a panel of operation: day t ends at 05:00 of the next, so the first whole day ahead is t + 2
MODEL = "ensemble"  # what candidates of days are
BASELINES = ("persistence", "climatology", "analogue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows before `learned` are learned from, those from `learned` on are held out; `days`: rows that have a reading at all."""

    learned: int
    days: int


def days_read(daily: Daily) -> int:
    """How many days have a reading at any station."""
    return int(np.isfinite(daily.target).any(axis=1).sum())


def split(daily: Daily, rules: Training) -> Split | None:
    """The last days with readings are held out; None of fewer days than are learned from."""
    read = np.flatnonzero(np.isfinite(daily.target).any(axis=1))
    if len(read) < rules.least_days:
        return None
    return Split(learned=int(read[-held_out_days(len(read), rules)]), days=len(read))


def held_out_days(days: int, rules: Training) -> int:
    """Of so many days with readings."""
    return rules.held_out_days if days >= 4 * rules.held_out_days else max(days // 4, rules.least_held_out_days)


def fit_candidate(daily: Daily, learned: int) -> Fitted:
    """Of the days before the row `learned`."""
    return day_models()[MODEL].fit(daily.first(learned), LEADS, LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """The forecasts everyone is asked for: issued when no later day had been learned from, of days nobody learned from. `came` (k,) over all leads."""

    daily: Daily
    pairs: tuple[Pairs, ...]
    came: Floats

    @property
    def near(self) -> Mask:
        """Those of the first lead (k,)."""
        return np.concatenate([np.full(len(p.day), p.lead == LEADS[0]) for p in self.pairs]) if self.pairs else np.empty(0, dtype=np.bool_)

    @property
    def day(self) -> Days:
        """The local day each is about (k,)."""
        return self.daily.days[np.concatenate([p.day + p.lead for p in self.pairs])] if self.pairs else self.daily.days[:0]

    @property
    def since(self) -> str:
        """The first day that is forecast."""
        return str(self.daily.days[min((int((p.day + p.lead).min()) for p in self.pairs if len(p.day)), default=0)])

    @property
    def until(self) -> str:
        """The last one."""
        return str(self.daily.days[max((int((p.day + p.lead).max()) for p in self.pairs if len(p.day)), default=0)])

    def sat(self, fitted: Fitted) -> Claim:
        """What it says; silence where it was fitted for other leads."""
        m = len(self.daily.stations)
        keys = [p.day * m + p.station for p in self.pairs]
        every = np.unique(np.concatenate(keys)) if keys else np.empty(0, dtype=np.int64)
        said = fitted.say(self.daily, every // m, every % m)
        rows = [_rows(said.get(p.lead), np.searchsorted(every, key)) for p, key in zip(self.pairs, keys, strict=True)]
        leads = frozenset(lead - LEADS[0] + 1 for lead, one in said.items() if np.isfinite(one.quantiles).all(axis=1).any())
        return Claim(quantiles=np.concatenate([q for q, _ in rows]), p_gt=np.concatenate([p for _, p in rows]), levels=LEVELS, leads=leads)


def exam(daily: Daily, learned: int, *, valid_from: int | None = None) -> Exam:
    """Issued at the end of the last row anyone learned from or later, of the days from the row `learned` (or a later one, `valid_from`) on."""
    first = learned if valid_from is None else max(learned, valid_from)
    found = []
    for lead in LEADS:
        if lead < len(daily.days):
            pairs = Pairs.of(daily, lead)
            found.append(pairs.where((pairs.day >= learned - 1) & (pairs.day + lead >= first)))
    came = np.concatenate([p.truth(daily) for p in found]) if found else np.empty(0)
    return Exam(daily=daily, pairs=tuple(found), came=came)


def baselines(daily: Daily, learned: int, asked: Exam) -> Mapping[str, Claim]:
    """What the honest baselines, fitted on the same days as the candidate, say."""
    known = day_models()
    return {name: asked.sat(known[name].fit(daily.first(learned), LEADS, LINES)) for name in BASELINES}


def _rows(said: Said | None, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> tuple[Floats, Floats]:
    if said is None:
        return np.full((len(rows), len(LEVELS)), np.nan), np.full((len(rows), len(LINES)), np.nan)
    return said.quantiles[rows], said.p_gt[rows]
