"""The speed record: what its page says of figures, and that it has no goal but those of the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.ingest import page
from bench.ingest.parts import PARTS

DOCS = Path(__file__).parents[2] / "docs"


def drained(per_second: int, cpu: float = 9.0) -> dict[str, Any]:
    return {"per_second": per_second, "rounds": [per_second] * 3, "cpu_us": {"ingest": cpu, "influxd": 20.0}, "most_mb": 80.0}


def made() -> dict[str, Any]:
    on = {"on": "2026-01-02T03:04:05Z"}
    live = {"50": drained(30_000) | {"alone": 40_000, "share": 0.75}, "10000": drained(20_000) | {"alone": 40_000, "share": 0.5}}
    scripts = {"synchronous": drained(1000), "batching": drained(10_000)}
    return {
        "backlog_50": {"own": drained(41_000), "paho": drained(21_000, 40), **scripts, "alone": 60_000, "rows_checked": 1000} | on,
        "backlog_10000": {"own": drained(24_000, 19), "paho": drained(15_000)} | on,
        "live": live | {"client": "own"} | on,
        "steady": {"p50_ms": 14.0, "p99_ms": 31.0, "memory_mb": 90.0, "cpu_us": {"ingest": 120.0}, "rounds": [30, 31, 32], "client": "own"} | on,
        "stages": {"printed": "append 0.5"} | on,
        "listener": drained(26_000) | on,
        "listener_full": drained(16_000) | on,
        "memory": {"messages": 200_000, "before_mb": 70.0, "store_down_mb": 90.0, "most_mb": 110.0, "after_mb": 95.0, "drained_s": 6.0} | on,
    }


def test_what_is_missed_is_said() -> None:
    """A figure under its goal is missed and listed; one at its goal is reached; every goal has its figure."""
    told = {goal.about: (figure, figure is not None and goal.reached(figure)) for goal, figure in page.figures(made())}
    missed = {about for about, (_, good) in told.items() if not good}
    assert missed == {"a backlog of 10,000 devices drains", "CPU of ingest while draining, 10,000 devices"}
    assert all(figure is not None for figure, _ in told.values())
    text = page.text({"machine": {"Processor": "one"}, "parts": made()})
    assert f"{len(told) - 2} of {len(told)} goals are reached" in text
    assert text.count("**missed**") == 2
    assert "append 0.5" in text, "the profile says why"


def test_a_part_that_was_not_measured_is_told_as_such() -> None:
    """Never as reached, and the page is still a page."""
    parts = made()
    del parts["listener_full"]
    text = page.text({"machine": {}, "parts": parts})
    assert text.count("not measured") == 1


def test_the_made_figures_are_of_every_part() -> None:
    """Else the tests above speak of another page than the one that is written."""
    assert set(made()) == set(PARTS)


def test_the_page_says_what_the_figures_say() -> None:
    """docs/speed.md is made from docs/speed.json."""
    if not (DOCS / "speed.json").exists():
        pytest.skip("make bench was not run yet")
    assert (DOCS / "speed.md").read_text() == page.text(json.loads((DOCS / "speed.json").read_text()))
