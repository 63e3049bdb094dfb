"""`canhman backtest`: a model of days tried on measured data that it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("backtest", epilog="Example: canhman backtest docs/datasets/mekong.toml --data ../data --json scores.json --plots pictures")
def backtest(
    dataset: Annotated[Path, typer.Argument(help="TOML file that tells where the values are: docs/backtest.md.")],
    data: Annotated[Path | None, typer.Option(help="Folder of its files (default: its `data`, else where it stands).")] = None,
    train: Annotated[Path | None, typer.Option(help="Another such file: learn from its places in place of this one's.")] = None,
    train_until: Annotated[str, typer.Option(help="Last day that is learned from (default: as the file says).")] = "",
    test_from: Annotated[str, typer.Option(help="First day that is scored (default: as the file says).")] = "",
    test_until: Annotated[str, typer.Option(help="Last day that is scored (default: as the file says, else the last there is).")] = "",
    model: Annotated[str, typer.Option(help="Which model of docs/models.md (default: the best there is).")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the scores there, as JSON.")] = None,
    forecasts: Annotated[Path | None, typer.Option(help="Write every forecast there, as CSV.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw into this folder (needs deploy/install.sh extra:plots).")] = None,
) -> None:
    """Learn up to one day, forecast every later one as of its time, and score what was said.

    Nothing is split at random. The tables are of all stations together and of each; --json has all scores.
    """
    from canhman import backtest_places, backtest_words, backtesting, terminal

    for option, path in (("DATASET", dataset), ("--train", train)):
        backtest_places.there(option, path)
    backtest_places.there("--data", data, folder=True)
    asked = backtesting.Asked(
        file=dataset,
        data=data,
        train=train,
        train_until=backtesting.day("--train-until", train_until),
        test_from=backtesting.day("--test-from", test_from),
        test_until=backtesting.day("--test-until", test_until),
        model=backtesting.model(model or backtesting.MODEL),
    )
    outputs = [(option, path) for option, path in (("--json", json), ("--forecasts", forecasts), ("--plots", plots)) if path is not None]
    backtest_places.file_can_be_written("--json", json)
    backtest_places.file_can_be_written("--forecasts", forecasts)
    backtest_places.folder_can_be_written("--plots", plots)
    backtest_places.apart(outputs, backtesting.inputs(asked))
    if plots is not None:
        from canhman import backtest_plots

        backtest_plots.ready()
    result = backtesting.run(asked)
    if json is not None:
        backtesting.write_json(json, result)
    if forecasts is not None:
        backtesting.write_forecasts(forecasts, result)
    if plots is not None:
        for path in backtest_plots.draw(plots, result):
            terminal.say(f"drawn: {path}")
    for note in result.notes:
        terminal.say(f"note: {note}")
    terminal.result(backtest_words.head(result))
    terminal.table(backtest_words.VALUES, backtest_words.value_rows(result), empty=backtest_words.NOTHING)
    terminal.table(backtest_words.EVENTS, backtest_words.event_rows(result), empty=backtest_words.NOTHING)
    stations = backtest_words.station_rows(result)
    if stations:
        terminal.table(backtest_words.station_columns(result), stations, empty=backtest_words.NOTHING)
