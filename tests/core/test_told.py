"""One rule of an issue's age, whoever tells of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.clock import AHEAD_MS
from core.forecast import QUANTILES, Forecast
from core.state import Latest
from core.told import is_refuted, is_told, told_until

HOUR = 3_600_000
NOW = 1_772_420_400_000
ROOT = Path(__file__).parents[2]
PACKAGES = ("alerts", "analytics", "api", "canhman", "core", "registry")

ISSUE = Forecast(
    org="default",
    station="a",
    point="main",
    target="hour",
    model="m",
    version="1",
    issued_at=NOW,
    data_until=NOW,
    inputs="",
    leads=(1,),
    times=(NOW,),
    quantiles=(tuple(0.1 for _ in QUANTILES),),
    p_gt=((0.0,) * 4,),
)


@pytest.mark.parametrize("target", ["hour", "day_max", "day_min"])
@pytest.mark.parametrize(("age", "told"), [(-AHEAD_MS - 1, False), (-AHEAD_MS, True), (0, True), (24 * HOUR, True), (24 * HOUR + 1, False)])
def test_an_issue_is_told_of_for_its_hours_and_not_before_its_time(target: str, age: int, told: bool) -> None:
    """Its last instant counts; of hours and days alike."""
    assert is_told(replace(ISSUE, target=target), NOW + age, 24.0) is told


def test_one_without_leads_tells_nothing() -> None:
    """It took back what was said before it."""
    assert not is_told(replace(ISSUE, leads=(), times=(), quantiles=(), p_gt=()), NOW, 24.0)


def test_a_stricter_number_ends_it_sooner() -> None:
    """As `risk.toml` has it, also in parts of an hour."""
    assert told_until(NOW, 1.5) == NOW + 90 * 60_000
    assert is_told(ISSUE, told_until(NOW, 1.5), 1.5)
    assert not is_told(ISSUE, told_until(NOW, 1.5) + 1, 1.5)


@pytest.mark.parametrize(
    ("value", "age", "limit", "refuted"),
    [
        (7.0, -60_000, 1.0, True),  # in its hour
        (7.0, 18 * 60_000, 1.0, True),  # it was made since, and knew better: its first hour answers for it
        (7.0, HOUR, 1.0, False),  # water of another hour
        (7.0, -HOUR, 1.0, False),  # an hour it says nothing of
        (7.0, 0, 8.0, False),  # under the limit it harms nobody
        (1.0, 0, 1.0, True),
        (float("nan"), 0, 1.0, False),
    ],
)
def test_water_that_an_issue_ruled_out_refutes_it(value: float, age: int, limit: float, refuted: bool) -> None:
    """Measured over the limit in an hour that was said to be fresh all but surely: it says nothing of the hours after."""
    assert is_refuted(ISSUE, Latest(time=NOW - age, value=value, flag=1), limit) is refuted
    assert not is_refuted(replace(ISSUE, p_gt=((0.5, 0.3, 0.1, 0.05),)), Latest(time=NOW - age, value=value, flag=1), limit)


def test_nobody_counts_an_issues_age_beside_it() -> None:
    """The number of hours is handed to `core.told`, and multiplied nowhere else."""
    own = re.compile(
        r"(?<![a-z]_)(?:\bmax|forecast_max)_age_h\s*\*|\*\s*[\w.]*?forecast_max_age_h|issued_at\s*[<>]=?\s*[\w.]*(?:forecast_max_age|TOLD_H|BELIEVED)"
    )
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py") if own.search(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(ROOT)) for path in found] == ["core/told.py"]
