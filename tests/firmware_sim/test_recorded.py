"""The file in the shape of recorded two-hourly salinity that our own model writes."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from firmware_sim.recorded import ROWS, write_recorded
from firmware_sim.replay import read_csv


def test_shape(tmp_path: Path) -> None:
    """37 stations, 84,357 rows, the three seasons, odd hours, one decimal from 0.0 to exactly 40.0, sorted, no row twice."""
    path = tmp_path / "salinity.csv.gz"
    assert write_recorded(path) == ROWS == 84_357
    with gzip.open(path, "rt") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["station", "time_local", "salinity_g_L"]
    assert len(rows) == ROWS
    assert len({(s, t) for s, t, _ in rows}) == ROWS
    assert rows == sorted(rows, key=lambda r: (r[0], r[1]))
    assert {t[11:] for _, t, _ in rows} == {f"{h:02d}:00:00" for h in range(1, 24, 2)}
    assert {t[:7] for _, t, _ in rows} == {f"2020-{m:02d}" for m in range(1, 7)} | {f"{y}-{m:02d}" for y in (2021, 2022) for m in range(1, 6)}
    assert all(v == f"{float(v):.1f}" for _, _, v in rows)
    values = np.array([float(v) for _, _, v in rows])
    assert (values.min(), values.max()) == (0.0, 40.0)
    counts = Counter(s for s, _, _ in rows)
    assert len(counts) == 37
    assert min(counts.values()) > 300
    assert 4600 < max(counts.values()) <= 4704
    days = defaultdict(set)
    for s, t, _ in rows:
        if t.startswith("2020-03"):
            days[s].add(t[:10])
    assert {len(d) for d in days.values()} == {15}


def test_seeded_and_readable(tmp_path: Path) -> None:
    """The same seed writes the same bytes, another one other values of the same shape; our reader takes every row."""
    one, same, other = (tmp_path / f"{n}.csv.gz" for n in ("one", "same", "other"))
    assert [write_recorded(one, seed=3), write_recorded(same, seed=3), write_recorded(other, seed=4)] == [ROWS] * 3
    assert one.read_bytes() == same.read_bytes() != other.read_bytes()
    recording = read_csv(other)
    assert sum(1 for _ in recording) == ROWS
    assert recording.bad_count == 0
