"""`canhman models`: which trained models there are, how they scored, and which of them speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from core.model_card import ModelCard

APP = typer.Typer()

COLUMNS = ("Target", "Model", "Version", "Learned from", "Score", "Baseline", "Speaks since", "Why")


NONE = "no model was trained yet: persistence speaks (canhman train, docs/training.md)"
UNREAD = "no trained model can be read (stderr says why): persistence speaks, after a restart at the latest (canhman train learns anew, docs/training.md)"


@APP.command("models", epilog="Example: canhman models --target day_max")
def models(
    target: Annotated[list[str] | None, typer.Option(help="day_max, day_min or hour, once for each (default: all).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all that is written down of them as JSON.")] = False,
) -> None:
    """List trained models, the newest first, and what drifts. Scores are mean CRPS on days that none had seen: lower is better."""
    import asyncio

    from canhman import drifting, lessons, model_checks, terminal, training
    from canhman.configuration import read_forecast
    from canhman.settings import read_settings

    settings = read_settings()
    targets = training.checked(target or ())
    cards, troubles = training.listed(settings)
    shown = [card for card in cards if card.target in targets]
    speaks, unread = asyncio.run(model_checks.whole(training.model_files(settings), targets))
    drifts = asyncio.run(drifting.of_installation(settings, [c for c in shown if c.promoted_at is not None]))
    now = lessons.codes()
    if json:
        words = {drift.version: drift.words for drift in drifts}
        terminal.as_json(
            [
                training.card_shape(card) | {"drift": words.get(card.version), "unreadable": _trouble(card, unread) or None, "speaks": card in speaks}
                for card in shown
            ]
        )
    else:
        terminal.table(
            COLUMNS,
            [_row(card, _trouble(card, unread), other=bool(lessons.of_other_code(card, now))) for card in shown],
            empty=UNREAD if any(any((training.model_files(settings).folder / target).glob("[!.]*")) for target in targets) else NONE,
        )
        for drift in drifts:
            terminal.say(f"{drift.target}: {drift.words}", style="yellow")
        for line in (*model_checks.otherwise(settings, speaks, targets), *model_checks.idle_drivers(read_forecast(settings.config).drivers, speaks)):
            terminal.say(line, style="yellow")
    for trouble in dict.fromkeys((*troubles, *unread.values())):
        terminal.say(trouble, style="red")


def _trouble(card: ModelCard, unread: Mapping[str, str]) -> str:
    """Why one that is to speak cannot."""
    return "" if card.promoted_at is None else unread.get(card.target, "")


def _row(card: ModelCard, trouble: str, *, other: bool) -> tuple[object, ...]:
    from core.clock import rfc3339

    held = card.held_out
    score, baseline = ("", "") if held is None else (f"{held.crps:.3f}", f"{held.baseline:.3f} {held.baseline_name}")
    since = "" if card.promoted_at is None else "of other code" if other else "cannot be read" if trouble else rfc3339(card.promoted_at)
    learned = f"{card.data_from} to {card.data_until}, {len(card.stations)} points, {card.source}"
    return card.target, card.model, card.version, learned, score, baseline, since, card.why
