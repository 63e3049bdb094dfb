"""The speed record: what its page says of figures, and that it has no goal but those of the table."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from bench.ingest import page
from bench.ingest.parts import PARTS
from bench.ingest.picture import costs, picture
from bench.ingest.why import SECTIONS, sections
from bench.ingest_stages import STAGES

DOCS = Path(__file__).parents[2] / "docs"


def drained(per_second: int, cpu: float = 9.0) -> dict[str, Any]:
    return {
        "per_second": per_second,
        "rounds": [per_second, per_second - 500, per_second + 700],
        "cpu_us": {"ingest": cpu, "mosquitto": 6.0, "influxd": 20.0},
        "cpu_rounds": [cpu, cpu + 1, cpu - 1],
        "threads_us": {"main": cpu / 3, "worker": cpu / 2, "InfluxStore": cpu / 6},
        "others_us": 3.0,
        "batch": 4000,
        "most_mb": 80.0,
    }


def staged(batch: int) -> dict[str, Any]:
    us = dict.fromkeys((*STAGES, "all", "append, with its fsync"), 0.5)
    store = {
        "per_second": 32_100,
        "influxd_us": 30.5,
        "sender_us": 0.3,
        "write_ms": 90.0,
        "bytes": 210,
        "profile": [["tsdb/engine/tsm1", 0.6], ["models", 0.4]],
    }
    return {"batch": batch, "messages": 100_000, "us": us, "store": store}


def made() -> dict[str, Any]:
    on = {"on": "2026-01-02T03:04:05Z", "cores": 2, "busy": 0.1, "took_s": 60}
    beside = {"alone": drained(40_000), "journal": drained(35_000), "share_rounds": [0.5, 0.75, 0.8]}
    live = {"50": drained(30_000) | beside | {"share": 0.75}, "10000": drained(20_000) | beside | {"share": 0.5}}
    scripts = {"synchronous": drained(1000), "batching": drained(10_000)}
    steady = {"p50_ms": 14.0, "p99_ms": 31.0, "memory_mb": 90.0, "start_mb": 70.0, "batch": 12.0, "fsync_ms": 1.0, "write_ms": 2.0, "client": "own"}
    steady |= {"cpu_us": {"ingest": 120.0}, "rounds": [30, 31, 32], "cpu_rounds": [119, 120, 121], "memory_rounds": [89, 90, 91], "threads_us": {"main": 40.0}}
    kinds = {"start": {"anon": 50.0, "file": 20.0}, "after": {"anon": 75.0, "file": 20.0}}
    memory = {"messages": 200_000, "start_mb": 70.0, "before_mb": 75.0, "store_down_mb": 90.0, "most_mb": 110.0, "after_mb": 95.0, "drained_s": 6.0}
    return {
        "backlog_50": {"own": drained(41_000), "paho": drained(21_000, 40), **scripts, "alone": drained(60_000), "rows_checked": 1000} | on,
        "backlog_10000": {"own": drained(24_000, 19), "paho": drained(15_000)} | on,
        "live": live | {"client": "own"} | on,
        "steady": steady | {"others_us": 20.0} | on,
        "stages": {"50": staged(4000), "10000": staged(4000), "steady": staged(12)} | on,
        "listener": drained(26_000) | on,
        "listener_full": drained(16_000) | on,
        "memory": memory | kinds | on,
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
    assert "### Draining, 10,000 devices" in text
    assert "32,100 messages a second" in text, "the profile says why: what InfluxDB takes without ingest"
    assert "`tsdb/engine/tsm1` | 60 %" in text
    assert "At 25,000 messages a second 2 cores have 80.0 µs for each: the servers take 26.0, which leaves 54.0 for ingest" in text
    assert "### Draining, 50 devices" not in text, "nothing is explained that needs no reason"
    assert "| 24,000 | 23,500 to 24,700 | **missed** |" in text, "each round's figure stands beside the median"


def test_every_goal_has_its_reason() -> None:
    """Where everything is missed each section can be told from the figures, and none says that it cannot."""
    parts = made()
    missed = {goal.why: [goal.about] for goal in page.GOALS}
    assert missed.keys() == SECTIONS.keys()
    text = "\n".join(sections(parts, missed))
    assert all(f"### {title}" in text for title, _ in SECTIONS.values())
    assert "Not profiled" not in text
    assert "Not profiled" in "\n".join(sections({}, missed)), "a figure that is not there is no reason"


def test_servers_that_fill_the_cores_are_said_to() -> None:
    """Where broker and store need more than the cores have, nothing is said to be left for ingest."""
    parts = made()
    parts["backlog_10000"]["own"]["cpu_us"]["influxd"] = 90.0
    text = "\n".join(sections(parts, {"drain_10000": ["it"]}))
    assert "the servers take 96.0, more than that without ingest." in text


def test_the_picture_is_sound() -> None:
    """XML with a bar for each row and number of devices; without stages there is none, and the page shows none."""
    parts = made()
    told = costs(parts, "50")
    root = ET.fromstring(picture(parts))  # noqa: S314 our own
    bars = [bar for bar in root.findall(".//{http://www.w3.org/2000/svg}rect") if bar.get("class") == "bar"]
    assert len(bars) == 2 * len(told)
    assert (told["ingest, all of it"], told["InfluxDB"], told["lines and HTTP"]) == (9.0, 20.0, 1.5)
    assert "(speed.svg)" in page.text({"machine": {}, "parts": parts})
    del parts["stages"]
    assert picture(parts) == ""
    assert "(speed.svg)" not in page.text({"machine": {}, "parts": parts})


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
    data = json.loads((DOCS / "speed.json").read_text())
    assert (DOCS / "speed.md").read_text() == page.text(data)
    assert (DOCS / "speed.svg").read_text() == picture(data["parts"])
