"""`canhman bench ingest`: what it measures, and that it touches nothing that is real."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.influx_cursor import CursorFile
from canhman import benching, load, measuring
from canhman.settings import Settings
from core.errors import RefusedError
from core.message import Message
from ingest.mail import Reader

ROOT = Path(__file__).parents[2]


def test_the_cursor_is_read_as_the_store_keeps_it(tmp_path: Path) -> None:
    """The clock of the measurement is the file InfluxDB's cursor is in; without it, 0."""
    path = tmp_path / "influx.cursor"
    assert measuring.influx_cursor(path)() == 0
    kept = CursorFile(path)
    kept.save("one", 4711)
    kept.close()
    assert measuring.influx_cursor(path)() == 4711


@given(sizes=st.lists(st.integers(1, 500), min_size=2, max_size=50), batch=st.integers(1, 7))
def test_a_message_is_stored_when_the_cursor_passes_its_end(sizes: list[int], batch: int) -> None:
    """And not when it passes the end of the one before; what the cursor never passed has no time."""
    ends = np.cumsum(sizes)
    moves = [(0.0, 0)] + [(float(n), int(ends[min(n * batch, len(sizes)) - 1])) for n in range(1, -(-len(sizes) // batch))]
    waits = benching.latencies(ends, np.zeros(len(sizes)), moves)
    for n, wait in enumerate(waits):
        move = n // batch + 1
        assert np.isnan(wait) if move >= len(moves) else wait == move


def test_speed_begins_at_the_first_move() -> None:
    """Waiting before it is not the path's time; 300 messages of a third of the bytes each, two thirds of them after the first move."""
    assert measuring.speed([(0.0, 1000), (50.0, 1100), (51.0, 1200), (52.0, 1300)], 300, 1300) == 100.0
    assert measuring.speed([(0.0, 1000)], 300, 1300) == 0.0


def test_every_message_of_the_load_can_be_read() -> None:
    """Three readings, a battery and a signal in some 200 bytes; all devices, every number once."""
    made = load.messages(load.Load(host="h", port=1, devices=7, count=50, begin=1_700_000_000_000), random.Random(1))
    mail = Reader("j").open([(n, Message(topic, payload, 1_800_000_000_000)) for n, (topic, payload) in enumerate(made)])
    assert mail.dead == []
    assert len({topic for topic, _ in made}) == 7
    assert len(set(made)) == 50
    assert all(150 < len(topic) + len(payload) < 260 for topic, payload in made)


def test_a_broker_where_others_may_listen_is_refused(tmp_path: Path) -> None:
    """Without --yes nothing is connected to, nothing is made."""
    settings = Settings(broker="mqtt://127.0.0.1:1", data=tmp_path / "data")
    with pytest.raises(RefusedError, match="--yes"):
        benching.ingest(settings, messages=1000, devices=2, rate=0, seconds=1, yes=False, say=lambda line: None)
    assert not (tmp_path / "data").exists()


@pytest.mark.servers
def test_the_whole_path_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    """Our listener and SQLite: figures of both phases; CANHMAN_DATA is not touched, the folder of its own is gone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_")}
    env = clean | {"PYTHONPATH": str(ROOT), "CANHMAN_DATA": str(tmp_path / "data"), "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "canhman", "bench", "ingest", "--messages", "1000", "--devices", "5", "--rate", "500", "--seconds", "2", "--json"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["full"]["messages"] == told["steady"]["messages"] == 1000
    assert told["full"]["per_second"] > 0
    assert 0 < told["steady"]["p50_ms"] <= told["steady"]["p99_ms"]
    assert told["most_mb"] > 0
    assert list(tmp_path.iterdir()) == []
