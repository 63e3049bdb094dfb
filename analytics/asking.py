"""Asking models: of each point and target the first that says something speaks, and what is no forecast costs no other point its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from analytics.history import DAY_MS, History
from analytics.model import HISTORY_MS, DriverHistory, Issue, Model
from analytics.readings import Known, Place
from analytics.soundness import unsound
from core.errors import ConflictError
from core.forecast import TARGETS, Forecast

MOST_FAULTS = 32  # of one model in a round: two or three points of a thousand are found so, and what is broken throughout is soon left alone
SEEN_MS = HISTORY_MS - 7 * DAY_MS  # of a point's own readings: a week after the issue all of these are still read


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A model that raised instead of speaking or said what is no forecast, at some points or at all; the next one spoke there, if any was left."""

    model: str
    version: str
    error: Exception


def forecasts_of(
    models: Sequence[Model], places: Sequence[Place], known: Sequence[Known], wanted: Sequence[tuple[Place, str]], at: int, drivers: Sequence[DriverHistory]
) -> tuple[list[Forecast], list[Fault]]:
    """What the models say of the (point, target)s wanted, as it is to be kept, and which of them failed. The fault of the last one asked is raised."""
    histories = [k.history for k in known]
    number = {p.key: i for i, p in enumerate(places)}
    digest = cache(lambda i: _digest(histories[i].between(at - HISTORY_MS, at)))
    everything = cache(lambda: hashlib.sha256(b"".join(digest(i) for i in range(len(histories)))).digest())
    own = cache(lambda i: own_inputs(histories[i], at))
    driven = cache(lambda n: f"{drivers[n].name} {drivers[n].statistic}\n".encode() + _digest(drivers[n].history.between(at - HISTORY_MS, at)))
    found: list[Forecast] = []
    faults: list[Fault] = []
    for target in targets_of(models):
        rows = [number[p.key] for p, t in wanted if t == target]
        for i, (model, issue) in sorted(_said(models, target, histories, rows, at, drivers, faults).items()):
            used = [n for n, d in enumerate(drivers) if d.name in issue.drivers and (d.bears_on is None or places[i].station.id in d.bears_on)]
            seen = digest(i) + (everything() if issue.pooled else b"") + b"".join(driven(n) for n in used)
            inputs = hashlib.sha256(f"{model.name} {model.version}\n".encode() + seen)
            found.append(_forecast(model, places[i], target, issue, at, known[i].received, inputs.hexdigest()[:16] + own(i)))
    return found, faults


def targets_of(models: Sequence[Model]) -> list[str]:
    """That some model speaks of."""
    return [target for target in TARGETS if any(target in model.targets for model in models)]


def own_inputs(history: History, at: int) -> str:
    """What an issue of `at` [ms] saw of its own point, as it ends `inputs`: what a later look can find again."""
    return _digest(history.between(at - SEEN_MS, at)).hex()[:16]


def is_seen_again(inputs: str, known: Known, at: int, received: int) -> bool:
    """Whether what an issue of `at` saw of its own point still stands: of `known` what was received by `received` [ms]. True where `inputs` does not say."""
    if known.came is None or len(inputs) <= 16:  # of an issue from before they said it
        return True
    then = known.came <= received
    return own_inputs(replace(known.history, time=known.history.time[then], value=known.history.value[then]), at) == inputs[16:]


def _said(
    models: Sequence[Model], target: str, histories: Sequence[History], rows: list[int], at: int, drivers: Sequence[DriverHistory], faults: list[Fault]
) -> dict[int, tuple[Model, Issue]]:
    """By row: the first model that says something, and what. One that raises is noted in `faults`, unless it is the last asked and failed at every row."""
    found: dict[int, tuple[Model, Issue]] = {}
    asked = [model for model in models if target in model.targets]
    for model in asked:
        left = [i for i in rows if i not in found]
        if not left:
            break
        issues, failed = _each(model, target, histories, left, at, drivers)
        if failed:
            if model is asked[-1] and set(failed) == set(left):
                raise failed[left[0]]
            first = min(failed)
            where = f"{histories[first].station}/{histories[first].point}" + (f" and {len(failed) - 1} more" if len(failed) > 1 else "")
            failed[first].add_note(f"of {target} at {where}")
            faults.append(Fault(model=model.name, version=model.version, error=failed[first]))
        found |= {i: (model, issue) for i, issue in issues.items() if issue is not None}
    return found


def _each(
    model: Model, target: str, histories: Sequence[History], rows: list[int], at: int, drivers: Sequence[DriverHistory]
) -> tuple[dict[int, Issue | None], dict[int, Exception]]:
    """What a model says by row, and of the rows at which it raises, or says what is no forecast, why: one of them must cost neither the others
    this model nor all the next one.

    Where it raises, either half is asked by itself, and so on; after MOST_FAULTS times the rest counts as failed.
    """
    issues: dict[int, Issue | None] = {}
    failed: dict[int, Exception] = {}
    waiting, raised = [rows], 0
    while waiting:
        part = waiting.pop()
        try:
            said = dict(zip(part, model.say(target, histories, part, at, drivers), strict=True))
            wrong = {i: unsound(issue) for i, issue in said.items() if issue is not None}
        except Exception as error:  # noqa: BLE001 of a damaged or unfit model: whoever asks tells it
            raised += 1
            if len(part) == 1 or raised >= MOST_FAULTS:
                failed |= dict.fromkeys(part, error)
            if raised >= MOST_FAULTS:
                failed |= {i: error for rest in waiting for i in rest}
                break
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
            continue
        failed |= {i: ConflictError(f"it says what is no forecast: {why}") for i, why in wrong.items() if why}
        issues |= {i: issue for i, issue in said.items() if not wrong.get(i)}
    return issues, failed


def _digest(history: History) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(history.time).tobytes() + np.ascontiguousarray(history.value).tobytes()).digest()


def _forecast(model: Model, place: Place, target: str, issue: Issue, at: int, received: int, inputs: str) -> Forecast:
    return Forecast(
        org=place.station.org,
        station=place.station.id,
        point=place.point,
        target=target,
        model=model.name,
        version=model.version,
        issued_at=at,
        data_until=received,
        inputs=inputs,
        leads=issue.leads,
        times=issue.times,
        quantiles=issue.quantiles,
        p_gt=issue.p_gt,
        reasons=issue.reasons,
        missing=issue.missing,
    )
