"""What each server carries without the others: Mosquitto with the least of subscribers, the journal with its store away, InfluxDB with lines ready-made."""

from __future__ import annotations

import http.client
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from servers.influxd import InfluxD
from servers.installation import MosquittoInflux

from bench.ingest.pprof import shares
from bench.ingest.spent import look, spent
from bench.ingest.stand import Figure, Stand, figure, publish
from bench.load import ROOT
from canhman.benching import Publisher, journal_end, wait_stored
from canhman.measuring import CursorClock, cpu_s

INGEST_CLIENT = "canhman-ingest"
DATABASE = "canhman"
STILL_S = 0.5  # nothing more is journalled for so long: it was the end
MOST_S = 120.0


def broker_alone(stand: Stand, *, devices: int, count: int, backlog: bool) -> Figure:
    """What Mosquitto passes on to the least of subscribers, under ingest's own session, live or from a backlog."""
    assert isinstance(stand.rig, MosquittoInflux)
    load = stand.work.load(stand.base, devices=devices, count=count)
    password = (stand.rig.data / "broker-password").read_text().strip()
    words = [sys.executable, "-m", "bench.load.subscriber", str(stand.rig.broker.port), INGEST_CLIENT, INGEST_CLIENT, password, str(count)]
    if backlog:
        publish(load)
    publisher = None if backlog else Publisher(load)
    broker = {"mosquitto": stand.servers["mosquitto"]}
    before = look(broker)
    subscriber = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert subscriber.stdout is not None
        assert subscriber.stdout.readline().strip() == "subscribed"
        if publisher is not None:
            publisher.go()
            publisher.wait(180)
        told = json.loads(subscriber.communicate(timeout=180)[0].strip().splitlines()[-1])
        cost = spent(before, look(broker), count)
    finally:
        if subscriber.poll() is None:
            subscriber.kill()
        subscriber.wait()
        if publisher is not None:
            publisher.close()
    return Figure(per_second=count / (told["last"] - told["first"]), cpu_us=cost.cpu_us, others_us=cost.others_us)


def journal_alone(stand: Stand, *, devices: int, count: int, client: str) -> Figure:
    """Live with the store standing still: what is journalled and acknowledged a second. It is drained afterwards."""
    assert isinstance(stand.rig, MosquittoInflux)
    stand.client(client)
    stand.rig.start()
    pids = {"ingest": stand.rig.pid, **stand.servers}
    publisher = Publisher(stand.work.load(stand.base, devices=devices, count=count))
    begin = journal_end(stand.journal)
    stand.rig.influx.pause()
    clock = CursorClock(read=lambda: journal_end(stand.journal), every_s=0.002).start()
    stored = CursorClock(read=stand.cursor, every_s=0.02).start()
    before = look(pids)
    try:
        publisher.go()
        publisher.wait(180)
        end = _still(clock, begin + 150 * count)
        cost = spent(before, look(pids), count)
        clock.stop()
        stand.rig.influx.resume()
        wait_stored(stored, stand.journal, begin=begin, at_least=150 * count)
    finally:
        stand.rig.influx.resume()
        clock.stop()
        stored.stop()
        publisher.close()
    found = figure(clock, count, end, cost, 0.0)
    stand.rig.stop()
    return found


def _still(clock: CursorClock, at_least: int) -> int:
    """Where the journal ends once nothing more comes."""
    deadline = time.monotonic() + MOST_S
    while clock.position < at_least or time.monotonic() - clock.moves[-1][0] < STILL_S:
        assert time.monotonic() < deadline, f"the journal ends at {clock.position}, {at_least} was to come"
        time.sleep(0.01)
    return clock.position


# ------------------------------------------------------------ InfluxDB


def store_alone(met: Sequence[bytes], measured: Sequence[bytes], count: int) -> dict[str, Any]:
    """Bodies of lines as ingest sends them, one after the other; `met` first, uncounted. `count` messages are in `measured`.

    The first half is counted; meanwhile nothing else runs. The second half goes with the server's own profile, which costs time too.
    """
    half = max(1, len(measured) // 2)
    messages = count * half / len(measured)
    with tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder:
        server = InfluxD(Path(folder))
        server.start()
        try:
            server.query(f"CREATE DATABASE {DATABASE}")
            assert server._process is not None
            pid = server._process.pid
            line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            for body in met:
                _post(line, body)
            before, began, own = cpu_s(pid), time.perf_counter(), time.process_time()
            waits = [_post(line, body) for body in measured[:half]]
            took, cpu, own = time.perf_counter() - began, cpu_s(pid) - before, time.process_time() - own
            profile: list[tuple[str, float]] = []
            asking = threading.Thread(target=lambda: profile.extend(_profile(server.port, math.ceil(took + 0.5))))
            asking.start()
            for body in measured[half:]:
                _post(line, body)
            asking.join()
            line.close()
        finally:
            server.kill()
    return {
        "per_second": round(messages / took),
        "influxd_us": round(1e6 * cpu / messages, 1),
        "sender_us": round(1e6 * own / messages, 2),
        "write_ms": round(1000 * median(waits), 2),
        "bytes": round(sum(len(body) for body in measured) / count),
        "profile": [[name, round(share, 3)] for name, share in profile],
    }


def _post(line: http.client.HTTPConnection, body: bytes) -> float:
    began = time.perf_counter()
    line.request("POST", f"/write?db={DATABASE}&precision=ms", body)
    answer = line.getresponse()
    text = answer.read()
    assert answer.status == 204, text
    return time.perf_counter() - began


def _profile(port: int, seconds: int) -> list[tuple[str, float]]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds + 60)
    line.request("GET", f"/debug/pprof/profile?seconds={seconds}")
    answer = line.getresponse()
    data = answer.read()
    line.close()
    return shares(data) if answer.status == 200 else []
