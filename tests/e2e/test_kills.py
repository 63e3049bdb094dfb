"""kill -9 of ingest at random moments: nothing acknowledged is lost, nothing is doubled, everything is judged."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest
from servers.checks import assert_whole, read_file, readings
from servers.installation import Installation, ListenerSqlite, MosquittoInflux, Row
from servers.publishers import Firmware, PlainClient, Sample
from servers.waiting import until

pytestmark = pytest.mark.servers

KILLS = 3
DEVICES, OBJECTS = 12, 300  # of each clockless device between two kills; of 3 × 300 each is remembered
STEP_MS = 60_000


def say(text: str) -> None:
    """For the one who reads why it failed."""
    print(text)  # noqa: T201 pytest shows it beside a failure


@pytest.fixture
def dice() -> random.Random:
    """Random moments, new in each run; KILL_SEED=… repeats those of a run that failed."""
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(10**6)))
    say(f"KILL_SEED={seed}")
    return random.Random(seed)


def kill_at(rig: Installation, position: int) -> None:
    """kill -9 as soon as the journal reaches `position`, and a new start at once."""
    until(lambda: rig.journal_bytes >= position, 120, lambda: f"the journal at {rig.journal_bytes} reaches {position}", every=0.001)
    rig.kill()
    say(f"killed at {rig.journal_bytes} for {position}")
    rig.start()


def moments(dice: random.Random, size: int) -> list[int]:
    """Three journal positions, rising; `size` is what the journal will hold at least [bytes]."""
    return sorted(int(size * dice.uniform(0.02, 0.95)) for _ in range(KILLS))


@pytest.mark.parametrize(("options", "client"), [((), "paho"), (("--batch", "1"), "own")], ids=["arrays-paho", "single-own"])
def test_a_replay_through_mosquitto_into_influxdb(
    mosquitto_influx: MosquittoInflux, recorded: Path, dice: random.Random, options: tuple[str, ...], client: str
) -> None:
    """Three kills during `canhman replay --speed max`: what plain InfluxQL reads back is the file, judged, `series_state` true."""
    rig = mosquitto_influx
    truth = read_file(recorded)
    rig.use(client)
    rig.start()
    replay = rig.replaying(str(recorded), "--speed", "max", *options)
    try:
        for position in moments(dice, len(truth) * (100 if options else 60)):
            kill_at(rig, position)
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


def test_a_plain_client_at_our_listener_into_sqlite(listener_sqlite: ListenerSqlite, recorded: Path, dice: random.Random) -> None:
    """The file from a plain paho client that resends by itself, a kill in each third of it; after each kill all is judged and true."""
    rig = listener_sqlite
    truth = sorted(read_file(recorded), key=lambda reading: reading[1])
    messages = [(f"canhman/default/{s}/telemetry", json.dumps({"time": _rfc3339(t), "readings": {"water.salinity": v}}).encode()) for s, t, v in truth]
    rig.start()
    client = PlainClient(rig)
    third = -(-len(truth) // KILLS)
    for first in range(0, len(truth), third):
        chunk = messages[first : first + third]
        before, size = rig.journal_bytes, sum(len(topic) + len(payload) for topic, payload in chunk)
        sending = client.send(chunk)
        kill_at(rig, before + int(size * dice.uniform(0.02, 0.95)))
        sending.join(120)
        assert not sending.is_alive(), "not everything was acknowledged"
        rig.settle()
        rows = rig.rows()
        assert sorted(readings(rows, "water.salinity")) == sorted(truth[: first + third])
        assert_whole(rig, rows)
    client.close()


def samples(round_: int, now_ms: int) -> list[Sample]:
    """What the devices measured before `now_ms`, one sample a minute, in rounds one behind the other."""
    start = now_ms - KILLS * OBJECTS * STEP_MS
    numbers = range(round_ * OBJECTS, (round_ + 1) * OBJECTS)
    return [Sample(device=f"clockless{d}", boot=7, seq=n, time=start + n * STEP_MS, value=round(1 + d + n / 1000, 3)) for n in numbers for d in range(DEVICES)]


def assert_once(rows: list[Row], sent: list[Sample], *, late_ms: int) -> None:
    """One row per sample and series, each at its time: never early, and at most `late_ms` late."""
    found = {(row.station, row.value): row.time for row in rows if row.quantity == "water.ec"}
    assert len([row for row in rows if row.quantity == "water.ec"]) == len(found) == len(sent)
    assert len([row for row in rows if row.quantity == "water.salinity"]) == len(sent)
    late = [found[(sample.device, sample.value)] - sample.time for sample in sent]
    say(f"{len(sent)} samples, {min(late)} to {max(late)} ms late")
    assert min(late) >= -5
    assert max(late) <= late_ms


def kill_in_rounds(rig: Installation, dice: random.Random, publisher: PlainClient | Firmware, *, late_ms: int) -> None:
    """A kill in each of three rounds of samples; after each of them all is stored once, judged, and `series_state` true."""
    now_ms = time.time_ns() // 1_000_000
    sent: list[Sample] = []
    for round_ in range(KILLS):
        chunk = samples(round_, now_ms)
        sent += chunk
        before, size = rig.journal_bytes, sum(len(s.topic) + len(s.payload(now_ms)) for s in chunk)
        sending = publisher.send_samples(chunk)
        kill_at(rig, before + int(size * dice.uniform(0.02, 0.95)))
        sending.join(60)
        assert not sending.is_alive(), "not everything was acknowledged"
        rig.settle()
        rows = rig.rows()
        assert_once(rows, sent, late_ms=late_ms)
        assert_whole(rig, rows)
    publisher.close()
    say(str(rig.ask("SELECT name, value FROM counter")))


def test_nothing_of_a_clockless_device_is_doubled(rig: Installation, dice: random.Random) -> None:
    """paho resends the bytes of its first attempt, and Mosquitto what it kept: late by the outage at most, and never twice (our own client reads)."""
    rig.use("own")
    rig.start()
    kill_in_rounds(rig, dice, PlainClient(rig), late_ms=25_000)


def test_firmware_that_counts_the_age_anew(listener_sqlite: ListenerSqlite, dice: random.Random) -> None:
    """Firmware sends other bytes at each attempt: never twice, and not even late by the outage."""
    listener_sqlite.start()
    kill_in_rounds(listener_sqlite, dice, Firmware(listener_sqlite), late_ms=5_000)


def _rfc3339(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms // 1000))
