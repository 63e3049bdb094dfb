"""The store is away in the middle: what was acknowledged waits in the journal; doctor and log say which part is in trouble."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers.checks import assert_whole
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.publishers import PlainClient, Sample
from servers.waiting import until

pytestmark = pytest.mark.servers

AWAY_S = 6.0  # at least; half a minute is tried by `make faults`
PATIENCE_S = 20.0
RED = re.compile(r"\[error +\] store is in trouble .*why=")
GREEN = re.compile(r"\[info +\] store works again")


def red_parts(rig: Installation) -> tuple[int, dict[str, str]]:
    """The exit code of `canhman doctor`, and what is red."""
    code, findings = rig.doctor()
    return code, {finding["part"]: finding["text"] for finding in findings if finding["mark"] == "red"}


def test_what_was_acknowledged_is_there_afterwards(mosquitto_influx: MosquittoInflux, listener_sqlite: ListenerSqlite) -> None:
    """influxd is stopped, and of the other set-up's SQLite file somebody else holds the lock (both at once, for they are slow)."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(outage, rig) for rig in (mosquitto_influx, listener_sqlite)]:
            done.result()


def outage(rig: Installation) -> None:
    """Readings go on through the outage and are acknowledged within it; afterwards every one is stored, and doctor is green again."""
    rig.use("own")
    rig.start()
    assert red_parts(rig) == (0, {})
    client = PlainClient(rig)
    start = time.time_ns() // 1_000_000 - 86_400_000
    over = threading.Event()
    sent: list[Sample] = []

    def stream() -> Iterator[tuple[str, bytes]]:
        while not over.is_set():
            n = len(sent)
            sample = Sample(device=f"kl{n % 5}", boot=1, seq=n, time=start + 1000 * (n // 5), value=round(2 + n % 997 / 1000, 3))
            sent.append(sample)
            yield sample.topic, json.dumps({"time": _rfc3339(sample.time), "readings": {"water.ec": sample.value}}).encode()
            over.wait(0.005)

    sending = client.send(stream())
    until(lambda: client.acknowledged > 200 and rig.ask("SELECT 1 FROM series_state WHERE station = 'kl4'"), 30, "readings flow")
    with rig.store_away():
        began = time.monotonic()
        before = client.acknowledged
        until(lambda: RED.search(rig.log), PATIENCE_S, lambda: f"the log turns red:\n{rig.log}")
        # the first by asking the store itself, the second by what ingest says of it every two seconds (and of its judge,
        # where that was reading just then)
        until(lambda: red_parts(rig)[1].keys() - {"ingest: judge"} == {"store", "ingest: store"}, PATIENCE_S, lambda: f"doctor is red: {red_parts(rig)}")
        assert red_parts(rig)[0] == 1
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))  # the outage is as long as it is
        within = client.acknowledged - before
    over.set()
    sending.join(60)
    assert not sending.is_alive()
    assert within > 200, "acknowledged while the store was away"
    rig.settle()
    assert GREEN.search(rig.log)
    until(lambda: red_parts(rig) == (0, {}), 30, "doctor is green")
    rows = rig.rows()
    assert sorted((row.station, row.time, row.value) for row in rows if row.quantity == "water.ec") == sorted((s.device, s.time, s.value) for s in sent)
    assert_whole(rig, rows)
    client.close()


def _rfc3339(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"
