"""`canhman train`: models learn from what was measured, and those that score better come to speak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from canhman.training import Outcome

APP = typer.Typer()


@APP.command("train", epilog="Example: canhman train --target day_max")
def train(
    target: Annotated[list[str] | None, typer.Option(help="day_max, day_min or hour, once for each (default: all).")] = None,
    dataset: Annotated[
        list[Path] | None, typer.Option(help="Learn from the places of this TOML file (docs/backtest.md) in place of the store.", exists=True, dir_okay=False)
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of its files (default: its `data`, else where it stands).", exists=True, file_okay=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Learn again where nothing came since the last training.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
    attended: Annotated[bool, typer.Option("--attended", help="As the service calls it: give way to others, end with standard input.")] = False,
) -> None:
    """Fit a candidate for each target, score it on days that none had seen, and let it speak only where it is better.

    It must be better than the model that speaks and than the best baseline. With --dataset given more than once, one file after the other is tried.
    """
    import asyncio
    import signal

    from canhman import logs, model_checks, terminal, training
    from canhman.configuration import read_forecast
    from canhman.settings import read_settings
    from core.errors import CanhManError

    logs.set_up(json=False)
    if attended:
        training.be_modest()
        training.end_with_input()
    signal.signal(signal.SIGINT, _at_once)
    settings = read_settings()
    targets = training.checked(target or ())
    with terminal.progress("series read", None, quiet=json) as bar:
        known = asyncio.run(training.known_of_store(settings, wait_s=wait, moved=lambda done, total: bar(done, f"of {total}")))
    for note in known.notes:
        terminal.say(f"note: {note}")
    outcomes: list[Outcome] = []
    for file in dataset or (None,):
        sets = {} if file is None else training.datasets(file, data, targets)
        with terminal.progress("training", training.STEPS * len(targets), quiet=json) as bar:
            outcomes += asyncio.run(training.train(settings, known, targets=targets, sets=sets, force=force, bar=bar))
    speaks, _ = asyncio.run(model_checks.whole(training.model_files(settings), targets))
    for words in model_checks.idle_drivers(read_forecast(settings.config).drivers, speaks):
        terminal.say(f"note: {words}")
    if json:
        terminal.as_json([training.shape(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            if not outcome.fault:
                terminal.result(f"{outcome.target}: {_name(outcome)}{outcome.why}")
    if faults := [f"{outcome.target}: {outcome.why}" for outcome in outcomes if outcome.fault]:
        raise CanhManError("; ".join(faults))


def _at_once(number: int, frame: object) -> None:
    """Ctrl-C, for asyncio would wait until the model has learned; what was kept is whole at any moment."""
    raise KeyboardInterrupt


def _name(outcome: Outcome) -> str:
    if outcome.card is None:
        return ""
    return f"{outcome.card.model} {outcome.card.version} {'speaks now' if outcome.promoted else 'does not come to speak'}: "
