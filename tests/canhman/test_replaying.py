"""The report of a replay, for people and for machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.front import Front
from servers.ports import free_port

from canhman.replaying import as_dict, as_lines
from firmware_sim.replay import BadRow, Clash, ReplayReport


def test_what_was_acknowledged_and_does_not_stay_is_told() -> None:
    """Clashes by line, at most 20 of them; repeats and refusals to come by number."""
    clashes = [Clash(n, f"kl01 at {n}") for n in range(2, 27)]
    report = ReplayReport(rows=50, acknowledged=50, clashes=clashes, clash_count=25, repeated=3, ahead=7, before_2000=1)
    lines = as_lines(report)
    assert "25 rows give a station and time another value than an earlier row; the last one wins:" in lines
    assert [line for line in lines if line.startswith("  line")] == [f"  line {c.line}: {c.text}" for c in clashes[:20]]
    assert any("5 more" in line for line in lines)
    assert "3 rows repeat an earlier one" in lines
    assert any(line.startswith("7 rows are more than 10 minutes ahead of the clock: ingest refuses them") and "--reason clock" in line for line in lines)
    assert any(line.startswith("1 rows are before 2000") for line in lines)
    found = as_dict(report)
    assert (found["clash_count"], found["repeated"], found["ahead"], found["before_2000"]) == (25, 3, 7, 1)
    assert found["clashes"][0] == {"line": 2, "text": "kl01 at 2"}
    assert len(found["clashes"]) == 25


def test_a_clean_replay_is_one_line() -> None:
    """Nothing is said of what did not happen."""
    assert len(as_lines(ReplayReport(rows=2, acknowledged=2))) == 1
    assert not any("no rows" in line for line in as_lines(ReplayReport(bad=[BadRow(2, "x")], bad_count=1)))


@pytest.mark.sockets
def test_a_header_alone(front: Front, tmp_path: Path) -> None:
    """It says that there is nothing in it."""
    file = tmp_path / "x.csv"
    file.write_text("station,time_utc,salinity_g_L\n")
    assert "a header and no rows" in front.ok("replay", str(file), "--wait", "0", BROKER=f"mqtt://u@127.0.0.1:{free_port()}").out
