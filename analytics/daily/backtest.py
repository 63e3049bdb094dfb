"""A model tried on days it never saw: fitted up to the last training day, asked as of the end of each later day, scored against what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analytics.daily.compare import Comparison, compare
from analytics.daily.dataset import Dataset
from analytics.daily.model import DayModel, Said
from analytics.daily.panel import Daily, Index, Pairs
from analytics.daily.places import asked_panel, training_panel
from analytics.daily.references import fit_references
from analytics.daily.rows import scored_rows
from analytics.daily.verify import Score, score
from core.errors import ConfigError

LEAST_TRAIN = 30  # (issue, day ahead) of a lead that a model must have to learn from
LEAST_TEST = 15  # days with a truth: one block of the bootstrap

Moved = Callable[[int, str], None]  # (steps done of `steps`, what comes next)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Every scored forecast of one lead, and its scores."""

    pairs: Pairs
    said: Said
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. `daily` is what the model was shown when it was asked; `pairs` of each lead index it."""

    dataset: Dataset
    daily: Daily
    model: str
    version: str
    held: tuple[Held, ...]
    notes: tuple[str, ...]


def steps(dataset: Dataset) -> int:
    """How many steps `backtest` tells of."""
    return 2 + len(dataset.leads)


def backtest(dataset: Dataset, model: DayModel, *, train: Dataset | None = None, moved: Moved = lambda done, what: None) -> Result:
    """Try `model` on the test days of `dataset`, trained on its days up to train_until, or on those of `train`, other places. Deterministic.

    Tested are the forecasts for days from test_from to test_until, issued on train_until or later: the model then knows no day after
    the issue, not even from its training. Raises ConfigError where a set is too short to score, or the two do not fit together.
    """
    learned, notes = training_panel(dataset, train)
    asked = asked_panel(dataset, train, learned)
    pairs = [_tested(dataset, asked, lead) for lead in dataset.leads]
    for one in pairs:
        _long_enough(dataset, train or dataset, learned, asked, one)
    moved(0, f"{model.name} learns")
    fitted = model.fit(learned, dataset.leads, dataset.lines)
    moved(1, f"{model.name} is asked")
    issues, places = _issues(pairs, len(asked.stations))
    said = fitted.say(asked, issues // len(asked.stations), issues % len(asked.stations))
    held = []
    for done, (one, place) in enumerate(zip(pairs, places, strict=True), 2):
        moved(done, f"{one.lead} days ahead")
        held.append(_scored(dataset, learned, asked, one, said[one.lead].at(place)))
    moved(steps(dataset), "")
    told = (*dataset.notes, *notes, *_untested(dataset, asked, pairs))
    return Result(dataset=dataset, daily=asked, model=model.name, version=model.version, held=tuple(held), notes=told)


def _tested(dataset: Dataset, asked: Daily, lead: int) -> Pairs:
    """What is scored of a lead."""
    pairs = Pairs.of(asked, lead)
    issued, valid = asked.days[pairs.day], asked.days[pairs.day + lead]
    scored = np.array([name in dataset.scored for name in asked.stations])
    return pairs.where(scored[pairs.station] & (issued >= dataset.train_until) & (valid >= dataset.test_from) & (valid <= dataset.test_until))


def _untested(dataset: Dataset, asked: Daily, pairs: list[Pairs]) -> tuple[str, ...]:
    """The stations that are to be scored and are not."""
    tested = {asked.stations[i] for one in pairs for i in np.unique(one.station).tolist()}
    left = [name for name in dataset.scored if name not in tested]
    span = f"from {dataset.test_from} to {dataset.test_until}"
    return (f"no forecast can be scored, since {span} too little was measured: {', '.join(left)}",) if left else ()


def _long_enough(dataset: Dataset, source: Dataset, learned: Daily, asked: Daily, tested: Pairs) -> None:
    lead = tested.lead
    apart = f"{lead} day{'' if lead == 1 else 's'}"
    taught = len(Pairs.of(learned, lead).day) if len(learned.days) > lead else 0
    if taught < LEAST_TRAIN:
        raise ConfigError(
            f"{source.source} is too short to learn from: {taught} pairs of days {lead} apart up to train_until {dataset.train_until}, "
            f"{LEAST_TRAIN} are needed; move --train-until, or leave {lead} out of leads_days"
        )
    found = len(np.unique(tested.day))
    if found < LEAST_TEST:
        begins, ends = asked.days[0], asked.days[-1]
        span = f"from {dataset.test_from} to {dataset.test_until}" if dataset.test_from <= dataset.test_until else f"from {dataset.test_from} on"
        raise ConfigError(
            f"{dataset.source} is too short to score: {found} days {span} have a value and another {apart} before, {LEAST_TEST} are needed "
            f"(its days are {begins} to {ends}); move --test-from or --test-until, or leave {lead} out of leads_days"
        )


def _issues(pairs: list[Pairs], m: int) -> tuple[Index, list[Index]]:
    """Every (day, station) once, as day · m + station; and where those of each lead stand in it."""
    keys = [one.day * m + one.station for one in pairs]
    every = np.unique(np.concatenate(keys))
    return every, [np.searchsorted(every, key).astype(np.int64) for key in keys]


def _scored(dataset: Dataset, learned: Daily, asked: Daily, pairs: Pairs, said: Said) -> Held:
    references = fit_references(learned, np.ones(len(learned.stations), dtype=bool), pairs.lead, dataset.lines)
    scores = score(asked, pairs, said, dataset.lines, references)
    comparisons = compare(asked, pairs, said, dataset.lines, references)
    spoken = np.flatnonzero(scored_rows(asked, pairs, said))
    return Held(
        pairs=replace(pairs, day=pairs.day[spoken], station=pairs.station[spoken]),
        said=said.at(spoken),
        scores=tuple(scores),
        comparisons=tuple(comparisons),
    )
