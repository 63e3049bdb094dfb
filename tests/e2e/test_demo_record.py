"""The record of the demo: what it forecast stands on `/record`, scored, once the day has passed."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from servers.demo import Demo
from servers.waiting import until

pytestmark = pytest.mark.servers

PASSED_MS = 76 * 3_600_000  # until the day after the first is over, and the 26 hours in which its readings may still come


def told(demo: Demo) -> dict[tuple[str, str, str, str], dict[str, str]]:
    """What the record gives away, by station, point, days ahead and day."""
    return {(r["station"], r["point"], r["lead_days"], r["valid"]): r for r in csv.DictReader(io.StringIO(demo.text("/record.csv")))}


def test_a_forecast_is_scored_when_its_day_has_passed(tmp_path: Path, bytecode: Path) -> None:
    """Forecast at the first start; the clock is put on by three days, the devices send what they measured meanwhile, and the page shows the scores."""
    demo = Demo(tmp_path, "--history", "4", "--speed", "1", bytecode=bytecode)
    try:
        demo.start()
        demo.wait_for("\nready after", 60)
        until(lambda: "waiting" in demo.text("/record.csv"), 30, lambda: f"a forecast of days\n{demo.log[-2000:]}", every=0.2)
        assert "Chưa có ngày nào đã qua để chấm" in demo.text("/record")
        said = told(demo)
        demo.interrupt()
        with closing(sqlite3.connect(demo.data / "registry.db")) as db, db:
            db.execute("UPDATE sim_clock SET sim_ms = sim_ms + ?", (PASSED_MS,))
        demo.start()
        demo.wait_for("\nready after", 60)
        until(lambda: "scored" in demo.text("/record.csv"), 30, lambda: f"a score\n{demo.log[-2000:]}", every=0.2)
        scored = {key: r for key, r in told(demo).items() if r["outcome"] == "scored"}
        assert {lead for _, _, lead, _ in scored} == {"1"}, "one day ahead is over"
        for key, r in scored.items():
            assert {**r, "outcome": "", "observed": ""} == {**said[key], "outcome": "", "observed": ""}, "as it was said"
        page = demo.text(f"/record?station={next(iter(scored))[0]}")
        assert "Ngày mai" in page
        assert "mới chấm 1 ngày" in page
        assert 'class="chart days across"' in page
        assert demo.faults() == []
    finally:
        demo.close()
