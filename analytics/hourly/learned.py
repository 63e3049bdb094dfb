"""A fitted model of hours as a model that issues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.daily.explain import reasons
from analytics.history import DAY_MS, History
from analytics.hourly.histories import hourly_of
from analytics.hourly.model import LEADS, ExplainedHours, FittedHours
from analytics.hourly.panel import Floats, Hourly
from analytics.model import HISTORY_MS, DriverHistory, Issue, Model
from core.forecast import HOUR_MS, MEDIAN, Reason
from core.model_card import ModelCard

HOURS = HISTORY_MS // HOUR_MS  # a panel's, as it is learned from and spoken from
OLDEST_NEWEST_MS = 6 * HOUR_MS
TOLD = 24  # the lead that reasons are told of: nearer by, all is the last reading
LEAST_DAYS = 3  # under so many nothing is said
_DAYS, _OFTEN = 16, 6  # of the last days, those that have so many hours read


def hours_model(fitted: FittedHours, card: ModelCard) -> Model:
    """For the target `hour`, leads 1–72: None where the newest reading is older than 6 h or under 3 days were read."""

    def say(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
        """See `analytics.model.Say`; no driver is looked at."""
        seen = {i: histories[i].between(at - HISTORY_MS, at) for i in wanted}
        found: dict[int, Issue | None] = {}
        for zone in sorted({h.zone for h in seen.values()}):
            rows = [i for i, h in seen.items() if h.zone == zone and _speaks(h, at)]
            found |= dict(zip(rows, _issues(fitted, [seen[i] for i in rows], at), strict=True))
        return [found.get(i) for i in wanted]

    return Model(name=card.model, version=card.version, targets=("hour",), say=say)


def _speaks(history: History, at: int) -> bool:
    if history.newest is None or at - history.newest > OLDEST_NEWEST_MS:
        return False
    hours = np.unique((at - 1 - history.between(at - _DAYS * DAY_MS, at).time) // HOUR_MS)  # back from the issue
    return int((np.bincount(hours // 24) >= _OFTEN).sum()) >= LEAST_DAYS


def _issues(fitted: FittedHours, histories: Sequence[History], at: int) -> list[Issue | None]:
    if not histories:
        return []
    hourly: Hourly = hourly_of(histories, at, hours=HOURS)
    every = np.arange(len(histories), dtype=np.int64)
    said = fitted.say(hourly, np.full(len(every), HOURS - 1, dtype=np.int64), every)
    times = tuple((at // HOUR_MS * HOUR_MS + np.arange(len(LEADS)) * HOUR_MS).tolist())
    why: list[tuple[Reason, ...]] = [()] * len(every)
    if isinstance(fitted, ExplainedHours):
        effects = fitted.effects(hourly, np.full(len(every), HOURS - 1, dtype=np.int64), every, TOLD)
        why = reasons({TOLD: effects}, {TOLD: said.quantiles[:, TOLD - 1, MEDIAN]}, len(every))
    return [_issue(times, *row) for row in zip(said.quantiles, said.p_gt, why, strict=True)]


def _issue(times: tuple[int, ...], quantiles: Floats, p_gt: Floats, why: tuple[Reason, ...]) -> Issue | None:
    if not (np.isfinite(quantiles).all() and np.isfinite(p_gt).all()):
        return None
    return Issue(leads=LEADS, times=times, quantiles=tuple(tuple(q) for q in quantiles.tolist()), p_gt=tuple(tuple(p) for p in p_gt.tolist()), reasons=why)
