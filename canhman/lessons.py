"""What there is to learn of a target, and the days a candidate is asked about: from the store, or from the files of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import numpy as np

from analytics.daily.dataset import Dataset
from analytics.daily.histories import ISSUE_HOUR
from analytics.daily.model import day_models
from analytics.daily.panel import Daily, Days, Floats
from analytics.daily.used_drivers import Uses, uses
from analytics.forecast_config import Training
from analytics.history import local_times
from analytics.hourly.model import hour_models
from analytics.hourly.panel import Hourly
from analytics.promotion import Claim, Mask
from analytics.training import DAY_TARGETS, MODEL, baselines, days_read, exam, fit_candidate, split
from analytics.training_hours import MODEL as HOURS_MODEL
from analytics.training_hours import after, days_of, hour_baselines, hour_exam, hours_until
from canhman.training_data import Known, dataset_daily, from_dataset, has_one_value_a_day, learned_until
from core.model_card import ModelCard

_COLUMNS = ("target", "high", "low", "mean", "last", "evening")
STORE = "store"  # `source` of what was learned from the installation's own readings


class Asked(Protocol):
    """Forecasts that everyone is asked for: `came` (k,), `near` (k,) those of the next day, `day` (k,) each one's day, `since` and `until` local days."""

    @property
    def came(self) -> Floats: ...
    @property
    def near(self) -> Mask: ...
    @property
    def day(self) -> Days: ...
    @property
    def since(self) -> str: ...
    @property
    def until(self) -> str: ...

    def sat(self, fitted: Any) -> Claim:
        """What a fitted model says."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """`draft`: the card, without version and score. `fit` learns, `exam` asks about days after a local one ("" for none), `references` are what
    the baselines answer, `uses` tells which drivers a fitted model uses. `code`: version of the model's code."""

    draft: ModelCard
    code: str
    zone: str
    fit: Callable[[], object]
    exam: Callable[[str], Asked]
    references: Callable[[Any], Mapping[str, Claim]]
    uses: Callable[[object], Uses] = lambda fitted: Uses()  # hours are told none


def lesson(known: Known, target: str, learned_from: Dataset | None, rules: Training) -> Lesson | str:
    """What is there to learn; else why there is nothing, in words."""
    daily = known.daily("day_max" if target == "hour" else target)
    cut = None if daily is None else split(daily, rules)
    if learned_from is None and (daily is None or cut is None):
        days = 0 if daily is None else days_read(daily)
        return f"nothing is learned: readings of {days} days are there, {rules.least_days} are needed (least_days in forecast.toml)"
    if learned_from is not None and target == "hour" and has_one_value_a_day(learned_from):
        return f"nothing is learned: {learned_from.name} holds one value a day, and no course within it"
    there = None if daily is None or cut is None else (daily, cut.learned)
    return _hours(known, learned_from, there) if target == "hour" else _days(known, target, learned_from, there)


def _days(known: Known, target: str, learned_from: Dataset | None, there: tuple[Daily, int] | None) -> Lesson:
    if learned_from is not None:
        own = dataset_daily(learned_from, target)
        learned = learned_until(own, learned_from.train_until)
        asked, learned_there = there or (own, learned)
        first = learned_there if there else learned_until(own, learned_from.test_from - 1)
        source = learned_from.name
    else:
        assert there is not None  # noqa: S101 `lesson` has seen to it
        (own, learned), source = there, STORE
        asked, learned_there, first = own, learned, learned

    theirs = learned_there if learned_from is None else learned_until(asked, learned_from.train_until)  # its days may be those of the store

    def ask(seen: str) -> Asked:
        last = learned_until(asked, np.datetime64(seen, "D")) if seen else 0
        return exam(asked, max(learned_there, theirs, last), valid_from=first)

    return Lesson(
        draft=_draft(target, own.first(learned), source, known.at),
        code=day_models()[MODEL].version,
        zone=own.zone,
        fit=lambda: fit_candidate(own, learned),
        exam=ask,
        references=lambda one: baselines(asked, learned_there, one),
        uses=lambda fitted: uses(fitted, own.first(learned)),
    )


def _draft(target: str, learned: Daily, source: str, at: int) -> ModelCard:
    read = np.isfinite(learned.target)
    days = learned.days[read.any(axis=1)]
    return ModelCard(
        target=target,
        model=MODEL,
        version="",
        trained_at=at,
        data_from=str(days[0]) if len(days) else "",
        data_until=str(days[-1]) if len(days) else "",
        stations=_some(learned.stations, read),
        drivers=tuple(sorted(name for name, values in learned.drivers.items() if np.isfinite(values).any())),
        rows=int(read.sum()),
        source=source,
        held_out=None,
        inputs=_digest(
            read,
            [
                *(getattr(learned, name) for name in _COLUMNS),
                learned.came,
                *(() if learned.course is None else learned.course),
                *(learned.drivers[n] for n in sorted(learned.drivers)),
            ],
        ),
    )


def _digest(read: Mask, columns: Iterable[Floats]) -> str:
    """Of all values from the first row with a reading on, in single precision: how far back a panel reaches before it changes nothing."""
    first = int(read.any(axis=1).argmax()) if len(read) else 0
    found = sha256()
    for values in columns:
        found.update(np.where(np.isfinite(values[first:]), values[first:], np.nan).astype(np.float32).tobytes())
    return found.hexdigest()[:12]


def _some(stations: tuple[str, ...], read: Any) -> tuple[str, ...]:
    return tuple(name for name, column in zip(stations, read.T, strict=True) if column.any())


def _hours(known: Known, learned_from: Dataset | None, there: tuple[Daily, int] | None) -> Lesson:
    here = None
    if there is not None:
        hourly = known.hourly()
        end = int(local_times(hourly.zone, there[0].days[there[1]].item(), 1, hour=ISSUE_HOUR)[0])
        here = hourly, hours_until(hourly, end), known.histories
    if learned_from is not None:
        elsewhere = from_dataset(learned_from)
        own, source = elsewhere.hourly(), learned_from.name
        learned = hours_until(own, after(str(learned_from.train_until), own.zone))
        asked, learned_there, histories = here or (own, learned, elsewhere.histories)
        first = learned_there if here else hours_until(own, after(str(learned_from.test_from - 1), own.zone))
    else:
        assert here is not None  # noqa: S101 `lesson` has seen to it
        (own, learned, histories), source = here, STORE
        asked, learned_there, first = own, learned, learned

    theirs = learned_there if learned_from is None else hours_until(asked, after(str(learned_from.train_until), asked.zone))

    def ask(seen: str) -> Asked:
        last = hours_until(asked, after(seen, asked.zone)) if seen else 0
        return hour_exam(asked, histories, max(first, theirs, last))

    return Lesson(
        draft=_hour_draft(own.between(0, learned), source, known.at),
        code=hour_models()[HOURS_MODEL].version,
        zone=own.zone,
        fit=lambda: hour_models()[HOURS_MODEL].fit(own.between(0, learned)),
        exam=ask,
        references=lambda one: hour_baselines(one, learned_there),
    )


def _hour_draft(learned: Hourly, source: str, at: int) -> ModelCard:
    read = np.isfinite(learned.value)
    first, last = days_of(learned)
    return ModelCard(
        target="hour",
        model=HOURS_MODEL,
        version="",
        trained_at=at,
        data_from=first,
        data_until=last,
        stations=_some(learned.stations, read),
        drivers=(),
        rows=int(read.sum()),
        source=source,
        held_out=None,
        inputs=_digest(read, [learned.value, learned.begun]),
    )


TARGETS = (*DAY_TARGETS, "hour")


def codes() -> dict[str, str]:
    """The version of the code of each model that can be learned, by name."""
    return {n: m.version for n, m in day_models().items()} | {n: m.version for n, m in hour_models().items()}


def of_other_code(card: ModelCard, now: Mapping[str, str]) -> str:
    """Why a model that other code learned does not speak, and what lets one speak again, in words; empty where it is of this code (`now`: see `codes`).

    Its score was that of its numbers in its code. In this code they would say something else, which nobody scored.
    """
    if now.get(card.model) == card.code:
        return ""
    ours = f"this program has version {now[card.model]}" if card.model in now else "this program has no such model"
    again = "canhman train, which the forecast service begins by itself within minutes unless every_days is 0,"
    if card.source != STORE:
        again = f"canhman train --dataset with the file of {card.source} (of its own readings, where there are enough, the service learns by itself)"
    return f"{card.model} {card.version} was learned by version {card.code or '?'} of its code, and {ours}: it was not scored in it; {again} learns anew"
