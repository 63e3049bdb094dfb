"""The whole recorded file, from `canhman replay --speed max` to the store, compared row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from servers.checks import assert_whole, read_file, readings
from servers.installation import Installation

pytestmark = pytest.mark.servers


def test_every_row_of_the_file_is_in_the_store(rig: Installation, recorded: Path) -> None:
    """From an empty database: what plain InfluxQL (SQL) reads back is the file, each row once, judged, with `series_state` true."""
    truth = read_file(recorded)
    rig.start()

    report = json.loads(rig.run("replay", str(recorded), "--speed", "max", "--json", env=rig.device_env).stdout)

    assert (report["rows"], report["acknowledged"], report["bad_count"], report["refused"]) == (len(truth), len(truth), 0, 0)
    rig.settle()
    rows = rig.rows()
    found = readings(rows, "water.salinity")
    assert set(found) == truth
    assert len(found) == len(truth)
    assert_whole(rig, rows)
    assert rig.stop() == 0
