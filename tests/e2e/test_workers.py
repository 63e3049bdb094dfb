"""Several ingests share one subscription at a real Mosquitto, one of them killed: nothing is lost, nothing doubled, the counts are right."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from servers import processes
from servers.checks import assert_whole
from servers.installation import MosquittoInflux
from servers.publishers import PlainClient
from servers.waiting import until

from adapters.journal import FileJournal
from core.clock import SystemClock

pytestmark = pytest.mark.servers

OBJECTS = 120  # of each device
STEP_MS = 600_000
CLOCKED, CLOCKLESS = 3, 2
LEFT_OUT = 50  # a number of the first device that is never sent
SENT_AGAIN = 15  # of each device, as by one that had no answer


class Workers:
    """`canhman ingest` processes beside each other on one installation, by name."""

    def __init__(self, rig: MosquittoInflux) -> None:
        self.rig = rig
        self.processes: dict[str, processes.Process] = {}

    def log(self, name: str) -> str:
        path = self.rig.folder / f"ingest-{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *names: str) -> None:
        """All of them, and wait until they take messages."""
        before = {name: len(self.log(name)) for name in names}
        for name in names:
            with (self.rig.folder / f"ingest-{name}.log").open("ab") as log:
                env = self.rig.env | {"CANHMAN_WORKER": name}
                self.processes[name] = processes.start(["-m", "canhman", "ingest"], env=env, cwd=self.rig.folder, out=log)
        for name in names:
            until(lambda name=name: "subscribed at" in self.log(name)[before[name] :], 60, lambda name=name: f"{name} is ready:\n{self.log(name)[-3000:]}")

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """SIGTERM to all; each must end with 0."""
        for process in self.processes.values():
            process.terminate()
        codes = {name: process.wait(30) for name, process in self.processes.items()}
        self.processes.clear()
        assert set(codes.values()) <= {0}, codes
        assert "Traceback" not in "".join(map(self.log, codes))

    def journal(self, name: str) -> Path:
        return self.rig.data / f"journal-{name}"

    def end(self, name: str) -> tuple[str, int]:
        """The id of a worker's journal, and the position after its last byte."""
        folder = self.journal(name)
        last = max(folder.glob("*.cmj"), key=lambda path: int(path.stem))
        return (folder / "journal.id").read_text().strip(), int(last.stem) + last.stat().st_size

    def received(self, names: Sequence[str]) -> list[tuple[str, bytes]]:
        """Every message in the journals of these stopped workers."""
        found: list[tuple[str, bytes]] = []
        for name in names:
            journal = FileJournal(self.journal(name), clock=SystemClock())
            journal.open()
            position = journal.start
            while (part := journal.read(position, limit=5000)).records:
                found += [(m.topic, m.payload) for _, m in part.records]
                position = part.next
            journal.close()
        return found


def messages(prefix: str, start: int, now_ms: int) -> list[tuple[str, bytes]]:
    """Of devices with a clock and without, in turn; every value once."""
    out: list[tuple[str, bytes]] = []
    for n, d in itertools.product(range(OBJECTS), range(CLOCKED + CLOCKLESS)):
        body = {"boot": 1, "seq": n, "readings": {"water.ec": round(1 + d + n / 1000, 3)}}
        time_ms = start + n * STEP_MS
        if d < CLOCKED:
            body["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ms // 1000))
        else:
            body["age_s"] = (now_ms - time_ms) / 1000
        if (n, d) != (LEFT_OUT, 0):
            out.append((f"canhman/default/{prefix}{d}/telemetry", json.dumps(body).encode()))
    return out


def shared(workers: Workers, names: Sequence[str], prefix: str) -> None:
    """`names` share the messages of new devices; the first of them is killed in the middle and comes back after all was sent."""
    rig = workers.rig
    now_ms = time.time_ns() // 1_000_000
    start = now_ms // 1000 * 1000 - 86_400_000
    sent = messages(prefix, start, now_ms)
    workers.start(*names)
    client = PlainClient(rig, window=100)
    sending: threading.Thread = client.send(sent)
    until(lambda: _size(workers.journal(names[0])) > 7_000, 30, "the first has its part", every=0.001)
    workers.kill(names[0])
    sending.join(60)
    assert not sending.is_alive(), "not everything was acknowledged"
    again = sent[-SENT_AGAIN * (CLOCKED + CLOCKLESS) :]
    client.send(again).join(30)
    client.close()
    rows = [row for row in rig.rows() if row.station.startswith(prefix) and row.quantity == "water.ec"]
    assert len(rows) < len(sent), "a part waits for the one that is away"
    workers.start(names[0])

    def drained() -> bool:
        found = [row for row in rig.rows() if row.station.startswith(prefix) and row.quantity == "water.ec"]
        cursors = dict(rig.ask("SELECT journal, position FROM state_cursor"))
        done = all(cursors.get(id_, 0) >= end for id_, end in map(workers.end, names))
        return done and len(found) >= len(sent) and not rig.ask("SELECT 1 FROM series_state WHERE dirty_from IS NOT NULL LIMIT 1")

    until(drained, 60, lambda: f"all is stored and judged:\n{workers.log(names[0])[-2000:]}", every=0.2)
    workers.stop()

    rows = rig.rows()
    mine = [row for row in rows if row.station.startswith(prefix) and row.quantity == "water.ec"]
    bodies = [(topic.split("/")[2], json.loads(payload)) for topic, payload in sent]
    assert sorted((row.station, row.value) for row in mine) == sorted((device, body["readings"]["water.ec"]) for device, body in bodies)
    clocked = {row.value: row.time for row in mine if int(row.station.removeprefix(prefix)) < CLOCKED}
    assert all(clocked[body["readings"]["water.ec"]] == start + body["seq"] * STEP_MS for _, body in bodies if "time" in body)
    measured = {(device, body["readings"]["water.ec"]): start + body["seq"] * STEP_MS for device, body in bodies}
    late = [row.time - measured[(row.station, row.value)] for row in mine]
    assert min(late) >= -5
    assert max(late) < STEP_MS / 2, "a clockless object is late by its way, never by what another ingest thought"
    assert_whole(rig, rows)
    counters = dict(rig.ask("SELECT name, value FROM counter"))
    twice = [m for m in workers.received(names) if m[0].split("/")[2].startswith(prefix)]
    duplicates = sum(count for name, count in counters.items() if name.startswith(f"duplicate:{prefix}"))
    assert duplicates == len(twice) - len(sent) >= len(again)
    gaps = {(device, boot): json.loads(holes) for device, boot, holes in rig.ask("SELECT device, boot, holes FROM boot_span") if device.startswith(prefix)}
    assert gaps == {(f"{prefix}{d}", 1): [[LEFT_OUT, LEFT_OUT]] if d == 0 else [] for d in range(CLOCKED)}


def test_two_and_four_ingests_share_what_comes(mosquitto_influx: MosquittoInflux) -> None:
    """Two on paho, then four on our own client at the same sessions: 0 lost, 0 doubled, gaps and duplicates as they were; statuses come to one."""
    rig = mosquitto_influx
    ask: Callable[..., str] = lambda *words: rig.run("broker", "init", "--folder", str(rig.files), *words).stdout  # noqa: E731
    ask("--worker", "a", "--worker", "b", "--end-lone")
    workers = Workers(rig)
    try:
        shared(workers, ("a", "b"), "two")
        ask("--worker", "c", "--worker", "d")
        rig.use("own")
        shared(workers, ("a", "b", "c", "d"), "four")
        assert all(workers.journal(name).exists() for name in "abcd")
        for name, hours in (("a", 2.0), ("b", 0.5)):
            path = rig.data / f"ingest-{name}.heartbeat.json"
            beat = json.loads(path.read_text())
            path.write_text(json.dumps(beat | {"at": time.time() - hours * 3600}))
        _, findings = rig.doctor()
        marks = {finding["part"]: (finding["mark"], finding["text"]) for finding in findings}
        assert marks["ingest-a"][0] == "red"
        assert "lost in 22 h" in marks["ingest-a"][1]
        assert marks["ingest-b"][0] == "warn"
    finally:
        for name in list(workers.processes):
            workers.kill(name)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.cmj"))
