"""Every server of the path is restarted or killed during a replay, and ingest is asked to stop: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from servers.checks import assert_whole, read_file, readings
from servers.installation import ListenerSqlite, MosquittoInflux
from servers.publishers import PlainClient
from servers.waiting import until

pytestmark = pytest.mark.servers


def test_influxd_killed_mosquitto_restarted_and_ingest_stopped(mosquitto_influx: MosquittoInflux, recorded: Path) -> None:
    """kill -9 of influxd while it is written to, SIGTERM of Mosquitto, SIGTERM of ingest in the middle of a batch, all during one replay."""
    rig = mosquitto_influx
    truth = read_file(recorded)
    rig.start()
    replay = rig.replaying(str(recorded), "--speed", "max", "--batch", "1")

    def after(part: float) -> None:
        wanted = int(len(truth) * 100 * part)
        until(lambda: rig.journal_bytes >= wanted, 120, lambda: f"the journal at {rig.journal_bytes} reaches {wanted}", every=0.002)

    try:
        after(0.1)
        rig.influx.kill()
        rig.influx.start()
        after(0.3)
        rig.broker.stop()
        rig.broker.start()
        after(0.5)
        assert rig.stop() == 0
        rig.start()
        after(0.7)
        rig.influx.kill()
        rig.broker.stop()
        rig.kill()
        rig.influx.start()
        rig.broker.start()
        rig.start()
        assert replay.wait(180) == 0
    finally:
        replay.kill()
        replay.wait()
    rig.settle()
    rows = rig.rows()
    found = readings(rows, "water.salinity")
    assert set(found) == truth
    assert len(found) == len(truth)
    assert_whole(rig, rows)


def test_a_stop_finishes_what_was_acknowledged(listener_sqlite: ListenerSqlite) -> None:
    """SIGTERM under load: exit code 0 within seconds, and every acknowledged reading is stored and judged when the process is gone."""
    rig = listener_sqlite
    rig.start()
    client = PlainClient(rig)
    start = int(time.time()) - 20_000
    messages = []
    for n in range(20_000):
        body = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + n)), "readings": {"water.ec": 2.0 + n % 97 / 100}}
        messages.append((f"canhman/default/kl{n % 7}/telemetry", json.dumps(body).encode()))
    client.send(messages)
    until(lambda: client.acknowledged > 3000, 30, "readings flow", every=0.001)

    assert rig.stop(15) == 0

    rows = [row for row in rig.rows() if row.quantity == "water.ec"]
    assert client.acknowledged <= len(rows) < len(messages)
    assert rig.is_drained
    assert_whole(rig, rig.rows())
    client.close()
