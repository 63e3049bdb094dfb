"""`canhman backtest`'s work: the dataset's files, the trial, and what it leaves: JSON, CSV, words."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from adapters.csv_columns import read_columns
from analytics.daily.backtest import Held, Result, backtest, steps
from analytics.daily.dataset import Dataset, dataset
from analytics.daily.model import LEVELS, DayModel, day_models
from analytics.daily.spec import Spec, parse_spec
from canhman import backtest_places, terminal
from canhman.backtest_words import shortest
from canhman.usage import UsageError, one_of
from core.errors import ConfigError
from core.table import ReadTable, Table

MODEL = "ensemble"  # the best there is: docs/decisions/0021-model-of-days.md
SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles in --forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line, read."""

    file: Path
    data: Path | None
    train: Path | None
    train_until: date | None
    test_from: date | None
    test_until: date | None
    model: DayModel


def model(name: str) -> DayModel:
    """Raises UsageError for one that is not there."""
    known = day_models()
    return known[one_of("--model", name, known)]


def day(option: str, text: str) -> date | None:
    """A day, None of an empty text. Raises UsageError."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{option} {text!r} is no day such as 2021-12-31") from None


def inputs(asked: Asked) -> list[Path]:
    """Every file there is that `run` reads. Raises ConfigError."""
    found = []
    for path in (asked.file, *([] if asked.train is None else [asked.train])):
        spec = read_spec(path)
        found += [path, *(_base(spec, path, asked.data) / columns.file for columns in (spec.target, *(driver.columns for driver in spec.drivers)))]
    return [path for path in found if path.is_file()]


def run(asked: Asked, *, quiet: bool = False) -> Result:
    """Read, learn, ask and score, with a progress bar. Raises ConfigError, FormatError: one line each."""
    spec = read_spec(asked.file)
    spec = replace(
        spec,
        train_until=asked.train_until or spec.train_until,
        test_from=asked.test_from or spec.test_from,
        test_until=asked.test_until or spec.test_until,
    )
    found = load(spec, asked.file, asked.data)
    train = None if asked.train is None else load(_as_training(read_spec(asked.train), spec), asked.train, asked.data)
    with terminal.progress(found.name, steps(found), quiet=quiet) as bar:
        return backtest(found, asked.model, train=train, moved=bar)


def _as_training(other: Spec, spec: Spec) -> Spec:
    """Another set, its time split where this one's is; lines and leads are asked of this one alone."""
    return replace(other, train_until=spec.train_until, test_from=spec.test_from, test_until=None)


def read_spec(path: Path) -> Spec:
    """Read a dataset's file. Raises ConfigError."""
    try:
        return parse_spec(tomllib.loads(path.read_text("utf-8-sig")), path.name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is no TOML: {error}") from error


def load(spec: Spec, path: Path, data: Path | None) -> Dataset:
    """The dataset of `spec`, which stands in `path`. Raises ConfigError, FormatError."""
    return dataset(spec, _reader(spec, path, data))


def _reader(spec: Spec, path: Path, data: Path | None) -> ReadTable:
    base = _base(spec, path, data)

    def read(file: str, wanted: Sequence[str]) -> Table:
        if not (base / file).is_file():
            raise ConfigError(f"{spec.source}: file = {file!r} is not in {base}; --data DIR says where the files are")
        return read_columns(base / file, wanted)

    return read


def _base(spec: Spec, path: Path, data: Path | None) -> Path:
    return data if data is not None else path.parent / spec.data


# ------------------------------------------------------------ what it leaves


def as_json(result: Result) -> list[dict[str, Any]]:
    """The scores, one object each."""
    return [asdict(score) for held in result.held for score in held.scores]


def write_json(path: Path, result: Result) -> None:
    """`--json`."""
    text = json.dumps(as_json(result), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def fill(draft: Path) -> None:
        draft.write_text(text, "utf-8")

    backtest_places.write("--json", path, fill)


def write_forecasts(path: Path, result: Result) -> None:
    """`--forecasts`: a row for each station, issue and lead.

    Values to ten digits, so that what lies on an end of an interval but for rounding lies on it; odds with all of theirs, so that a warning is one.
    """

    def fill(draft: Path) -> None:
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(forecast_columns(result.dataset.lines))
            for held in result.held:
                writer.writerows(_forecast_rows(result, held))

    backtest_places.write("--forecasts", path, fill)


def forecast_columns(lines: Sequence[float]) -> list[str]:
    """The first row of `--forecasts`."""
    return ["station", "issued", "lead_days", "valid", "observed", *(f"q{round(100 * q):02d}" for q in SHOWN), *(f"p_gt_{shortest(line)}" for line in lines)]


def _forecast_rows(result: Result, held: Held) -> Iterator[list[object]]:
    daily, pairs = result.daily, held.pairs
    issued = np.datetime_as_string(daily.days[pairs.day])
    valid = np.datetime_as_string(daily.days[pairs.day + pairs.lead])
    values = np.column_stack((pairs.truth(daily), held.said.quantiles[:, [LEVELS.index(q) for q in SHOWN]]))
    for row in np.lexsort((pairs.day, pairs.station)).tolist():
        said = (*(f"{x:.10g}" for x in values[row]), *map(shortest, held.said.p_gt[row].tolist()))
        yield [daily.stations[pairs.station[row]], issued[row], pairs.lead, valid[row], *said]
