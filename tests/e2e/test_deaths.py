"""Ingest dies of SIGKILL at one exact point of its path, each in turn: after the next start nothing is lost, doubled or unjudged."""

from __future__ import annotations

import json
import threading
import time

import pytest
from servers.checks import assert_whole
from servers.installation import Installation, ListenerSqlite
from servers.publishers import PlainClient, Sample
from servers.waiting import until

pytestmark = pytest.mark.servers

DATABASE = "adapters.sql.database:SqlDatabase"


def _points(store: str) -> list[tuple[str, str, int]]:
    return [
        ("adapters.journal:FileJournal.append", "before", 1),
        ("adapters.journal:FileJournal.append", "after", 1),  # journalled, not acknowledged
        (f"{DATABASE}.put", "before", 1),  # self-registration
        (f"{DATABASE}.put", "after", 1),
        (f"{store}.write", "before", 1),
        (f"{store}.write", "after", 1),  # stored, the state not committed
        (f"{DATABASE}.commit", "before", 2),
        (f"{DATABASE}.commit", "after", 2),
        ("quality.tails:Tails.settle", "before", 1),  # judged in memory, before the commit
        ("quality.tails:Tails.settle", "after", 1),
        (f"{store}.write_flags", "before", 1),  # of the stuck ones
        (f"{store}.write_flags", "after", 1),
    ]


INFLUX = [
    ("adapters.influx_send:V1Sender.send", "before", 1),
    ("adapters.influx_send:V1Sender.send", "after", 1),  # sent, the cursor not moved
    ("adapters.influx_cursor:CursorFile.save", "after", 1),
]
POINTS = {
    "mosquitto_influx": [*_points("adapters.influx:InfluxStore"), *INFLUX],
    "listener_sqlite": _points("adapters.sqlite_store:SqliteStore"),
}
SAMPLES = 60
STEP_MS = 600_000


def test_no_point_of_the_path_is_a_bad_one_to_die_at(rig: Installation) -> None:
    """New devices for each point, with a clock and without, one of them stuck: their rows are all there once, judged, `series_state` true."""
    rig.start()
    rig.kill()  # the session at the broker stands before the first message
    start = time.time_ns() // 1_000_000_000 * 1000 - 86_400_000
    wanted: dict[tuple[str, int], float] = {}
    clients: list[tuple[PlainClient, threading.Thread]] = []
    for number, (target, when, nth) in enumerate(POINTS[rig.name]):
        samples = [
            Sample(device=f"p{number}-{kind}", boot=1, seq=n, time=start + n * STEP_MS, value=5.02 if kind == "stuck" else round(2 + n / 100, 2))
            for n in range(SAMPLES)
            for kind in ("clockless", "clock", "stuck")
        ]
        wanted |= {(sample.device, sample.time): sample.value for sample in samples}
        rig.start_dying(target, when, nth)
        client = PlainClient(rig)
        now_ms = time.time_ns() // 1_000_000
        clients.append((client, client.send([(s.topic, s.payload(now_ms) if "clockless" in s.device else _with_clock(s)) for s in samples])))
        rig.wait_for_death()
    rig.start()
    for client, sending in clients:
        sending.join(30)
        assert not sending.is_alive(), "not everything was acknowledged"
        client.close()
    rig.settle()
    rows = rig.rows()
    stored = [row for row in rows if row.quantity == "water.ec"]
    # a redelivery of the bytes of the first attempt is late by the outage, never by half a step
    found = {(row.station, start + round((row.time - start) / STEP_MS) * STEP_MS): row.value for row in stored}
    assert found == wanted
    assert len(stored) == len(wanted)
    assert_whole(rig, rows)


def test_a_death_in_the_middle_of_an_approval(listener_sqlite: ListenerSqlite) -> None:
    """Ingest dies after it stored what had waited and before it noted so: the approval is finished by the next start, nothing is doubled."""
    rig = listener_sqlite
    rig.env["CANHMAN_ENROL"] = "approve"
    rig.start()
    start = time.time_ns() // 1_000_000_000 * 1000 - 86_400_000
    samples = [Sample(device=f"new{n % 2}", boot=1, seq=n, time=start + n * STEP_MS, value=2 + n / 100) for n in range(100)]
    now_ms = time.time_ns() // 1_000_000
    client = PlainClient(rig)
    client.send([(s.topic, s.payload(now_ms)) for s in samples]).join(30)
    client.close()
    until(lambda: rig.ask("SELECT count(*) FROM waiting") == [(len(samples),)], 10, "all wait")
    rig.kill()
    rig.start_dying("adapters.sqlite_store:SqliteStore.write", "after", 1)

    for device in ("new0", "new1"):
        rig.run("devices", "approve", device)
    rig.wait_for_death()
    rig.start()

    until(lambda: not rig.ask("SELECT 1 FROM waiting") and rig.is_drained, 30, "nothing waits, all is judged")
    rows = rig.rows()
    found = {row.value: row.time for row in rows if row.quantity == "water.ec"}
    assert len([row for row in rows if row.quantity == "water.ec"]) == len(samples)
    assert all(0 <= found[s.value] - s.time < 20_000 for s in samples)
    assert_whole(rig, rows)


@pytest.mark.parametrize("objects", [1, 400], ids=["single", "arrays"])
def test_a_backlog_larger_than_the_memory_of_a_device(listener_sqlite: ListenerSqlite, objects: int) -> None:
    """2,400 objects of one clockless device are journalled and not acknowledged when ingest dies: sent again, none is doubled."""
    rig = listener_sqlite
    start = time.time_ns() // 1_000_000 - 86_400_000
    samples = [Sample(device="kl01", boot=1, seq=n, time=start + n * 30_000, value=round(2 + n / 1000, 3)) for n in range(2400)]
    bodies = [json.loads(sample.payload(time.time_ns() // 1_000_000)) for sample in samples]
    messages = [json.dumps(bodies[n : n + objects] if objects > 1 else bodies[n]).encode() for n in range(0, len(bodies), objects)]
    rig.start_without("adapters.listener:Listener.acknowledge")
    client = PlainClient(rig, window=len(messages))
    sending = client.send([(samples[0].topic, message) for message in messages])
    until(lambda: rig.is_drained and len(rig.rows()) == 2 * len(samples), 30, "all is stored")
    assert client.acknowledged == 0
    rig.kill()
    rig.start()
    sending.join(30)
    assert not sending.is_alive(), "not everything was acknowledged"
    client.close()
    rig.settle()
    rows = rig.rows()
    assert len([row for row in rows if row.quantity == "water.ec"]) == len(samples)
    assert_whole(rig, rows)


def _with_clock(sample: Sample) -> bytes:
    body = {"boot": 1, "seq": sample.seq, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(sample.time // 1000)), "readings": {"water.ec": sample.value}}
    return json.dumps(body).encode()
