"""Water windows and the course by hours, as `analytics.hourly.verify` scores them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from analytics.hourly.model import HourModel
from analytics.hourly.verify import skill_of_hours
from bench.skill.figures import rounded
from bench.skill.store import key_of
from canhman.backtesting import load, read_spec

START = ("adapters/csv_columns.py", "analytics/daily/dataset.py", "analytics/hourly/verify.py", "analytics/hourly/models/*.py", "bench/skill/hours.py")


def key(file: Path, data: Path, model: HourModel) -> str:
    """What its figures depend on."""
    return key_of((model.name, model.version), (file, data / read_spec(file).target.file), start=START)


def score(file: Path, data: Path, model: HourModel) -> Any:
    """Every figure of one set."""
    return rounded(asdict(skill_of_hours(load(read_spec(file), file, data), model)))
