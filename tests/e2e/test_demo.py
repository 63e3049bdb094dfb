"""`canhman demo` as somebody runs it: history through the front door, then live; killed, started again, ended with Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.demo import Demo
from servers.waiting import until

from canhman import device_log
from canhman.demo_network import demo_network
from canhman.settings import Settings

pytestmark = pytest.mark.servers

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def named(verdict: str) -> set[str]:
    """The stations the README names in the row of a verdict."""
    [row] = re.findall(rf"^\| {verdict} \| (.*) \|$", README, re.MULTILINE)
    return {name.strip() for name in row.partition(":")[0].split(",")}


@pytest.fixture
def demo(tmp_path: Path, bytecode: Path) -> Iterator[Demo]:
    """With five days of history: enough for a forecast."""
    made = Demo(tmp_path, "--history", "5", bytecode=bytecode)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[Demo]:
    """With all sixty days; it runs on through the tests of this file that look at it."""
    made = Demo(tmp_path_factory.mktemp("demo"), bytecode=bytecode)
    made.start()
    try:
        yield made
    finally:
        made.close()


def risks(demo: Demo) -> dict[str, dict[str, Any]]:
    """The verdict of every public station, by id."""
    return {s["id"]: s["risk"] for s in demo.get("/api/v1/stations")["items"]}


def by_name(demo: Demo, verdict: str) -> set[str]:
    """The names of the stations that have it."""
    return {s["name"] for s in demo.get("/api/v1/stations")["items"] if s["risk"]["verdict"] == verdict}


def test_everything_is_there_within_ninety_seconds(whole: Demo) -> None:
    """All verdicts, those the README names, the silent station and open alerts; and the readings move."""
    begun = time.monotonic()
    whole.wait_for("\nready after", 90)

    def complete() -> bool:
        silent = any(a["kind"] == "silent" for a in whole.get("/api/v1/alerts?state=open")["items"])
        return silent and named("take") <= by_name(whole, "take") and named("stop") <= by_name(whole, "stop")

    until(complete, 90 - (time.monotonic() - begun), lambda: f"{risks(whole)}\n{whole.out[-2000:]}\n{whole.log[-3000:]}", every=0.5)
    assert len(risks(whole)) == 12
    assert by_name(whole, "unknown") == named("unknown")
    assert all(risk["reason"] == "silent" and risk["band"] is None for risk in risks(whole).values() if risk["verdict"] == "unknown")
    kinds = {a["kind"] for a in whole.get("/api/v1/alerts?state=open")["items"]}
    assert {"observed", "silent"} <= kinds
    speaking = {s["id"] for s in whole.get("/api/v1/stations")["items"] if s["name"] not in named("unknown")}
    first = times(whole)
    until(lambda: all(times(whole)[station] > first[station] for station in speaking), 30, "the readings move", every=0.5)


def times(demo: Demo) -> dict[str, str]:
    """When the newest salinity of each station was measured."""
    return {s["id"]: s["latest"]["water.salinity"]["time"] for s in demo.get("/api/v1/stations")["items"] if "water.salinity" in s["latest"]}


def test_the_pages_show_it(whole: Demo) -> None:
    """Every station's name stands on the first page, without a script."""
    whole.wait_for("\nready after", 90)
    page = whole.text("/")
    for station in whole.get("/api/v1/stations")["items"]:
        assert station["name"] in page


def test_a_real_sensor_shows_at_once(demo: Demo) -> None:
    """Each of the lines it prints, typed into a shell, twice: a station on page and API at once, without enough data to forecast."""
    demo.options = ("--history", "5", "--speed", "60")  # at 600 a reading is an hour old, and stale, after six seconds
    demo.start()
    demo.wait_for("\nready after", 60)
    ways = ["canhman publish"] + (["mosquitto_pub"] if shutil.which("mosquitto_pub") else [])
    for way in ways:
        name = f"vuon-{way[0]}"
        demo.wait_for(way, 10)
        line = next(text.strip() for text in demo.out.splitlines() if way in text).replace("vuon-toi", name)
        line = line.replace(" canhman publish", f" {sys.executable} -m canhman publish")
        for _ in range(2):
            done = subprocess.run(["bash", "-c", line], cwd=demo.folder, env=demo.env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            until(lambda name=name: risks(demo).get(name, {}).get("reason") == "no_forecast", 10, lambda: f"{risks(demo)}\n{demo.log[-2000:]}", every=0.1)
            time.sleep(1.1)  # the second of `date +%s`
        assert risks(demo)[name]["verdict"] == "measure"
        assert "Chưa đủ số để báo trước" in demo.text(f"/stations/{name}")
        assert len(demo.get(f"/api/v1/stations/{name}/series?quantity=water.ec")["values"]) == 2
    assert demo.dead_letters() == []


def test_killed_it_goes_on_and_nothing_is_lost_or_doubled(whole: Demo) -> None:
    """kill -9, a start on the same data: the clock goes on where it was saved, nothing is filled in anew, every object stands there once."""
    whole.wait_for("\nready after", 90)
    before = whole.acknowledged()
    whole.kill()
    whole.start()
    assert whole.wait_for("\nready after", 40) < 40
    assert f"history: {before}" not in whole.out
    until(lambda: whole.acknowledged() > before + 100, 60, lambda: f"the devices go on: {before}, {whole.acknowledged()}\n{whole.log[-2000:]}", every=0.5)
    assert whole.interrupt()[0] == 0, whole.out[-2000:]
    assert whole.differences() == []
    assert whole.dead_letters() == []
    assert whole.faults() == []
    whole.options = ("--speed", "0.1")  # nothing new for a while
    whole.start()
    whole.wait_for("\nready after", 40)
    log = device_log.load(whole.data / "devices.json")
    assert log is not None
    for device in demo_network(Settings()).devices:
        point = next(c for c in device.channels if not c.startswith("d"))
        assert rows_of(whole, device.id, point) == device_log.count(device, log.since, log.taken[device.id]), device.id
    assert whole.interrupt()[0] == 0


def rows_of(demo: Demo, station: str, point: str) -> int:
    """How many values of conductivity the API pages through."""
    path = f"/api/v1/stations/{station}/series?quantity=water.ec&point={point}&limit=4000&start=2025-12-01T00:00:00Z"
    rows, after = 0, ""
    while True:
        page = demo.get(path + (f"&next={after}" if after else ""))
        rows += len(page["values"])
        if not (after := page["next"]):
            return rows


def test_killed_while_history_comes_in(demo: Demo) -> None:
    """The next start completes it."""
    demo.options = ("--history", "20")
    demo.start()
    demo.wait_for("history: 0 of", 60)
    until(lambda: demo.acknowledged() > 3000, 60, lambda: demo.out, every=0.02)
    demo.kill()
    cut = demo.acknowledged()
    demo.start()
    demo.wait_for("\nready after", 90)
    assert cut < demo.acknowledged()
    until(lambda: demo.acknowledged() >= 12 * 20 * 96 - 36, 10, lambda: f"{demo.acknowledged()} are acknowledged")  # written down each second
    demo.interrupt()
    assert demo.differences() == []
    assert demo.faults() == []


def test_stopped_time_does_not_pass(demo: Demo) -> None:
    """After Ctrl-C the clock stands until the next start."""
    demo.start()
    demo.wait_for("\nready after", 60)
    demo.interrupt()
    stopped = clock(demo)
    time.sleep(2)
    demo.start()
    demo.wait_for("✓ serve", 60)
    assert 0 <= clock(demo) - stopped < 600_000 * 3  # it may run already
    demo.wait_for("\nready after", 60)
    demo.interrupt()
    assert demo.differences() == []


def clock(demo: Demo) -> int:
    """The saved simulated time [ms]."""
    with sqlite3.connect(demo.data / "registry.db") as db:
        return int(db.execute("SELECT sim_ms FROM sim_clock").fetchone()[0])


def test_a_used_port_is_one_line(demo: Demo) -> None:
    """Exit code 1, the port and `--port` in it; nothing is made."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        done = subprocess.run(demo.words, env=demo.env, cwd=demo.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {demo.port}" in done.stderr
    assert "--port" in done.stderr
    assert not demo.data.exists()


def test_two_on_one_folder(demo: Demo) -> None:
    """The second is refused with one line; the first goes on, until its terminal is closed."""
    demo.start()
    demo.wait_for("✓ ingest", 60)
    done = subprocess.run(demo.words, env=demo.env, cwd=demo.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"the demo runs already on {demo.data}: open {demo.url}" in done.stderr
    demo.wait_for("\nready after", 60)
    assert demo.process is not None
    demo.process.send_signal(signal.SIGHUP)
    assert demo.process.wait(10) == 0


def test_two_started_at_once_on_other_folders(demo: Demo, tmp_path: Path, bytecode: Path) -> None:
    """Each finds ports of its own for devices and figures, whichever looks first."""
    other = Demo(tmp_path / "other", "--history", "0", bytecode=bytecode)
    other.env |= {name: demo.env[name] for name in ("CANHMAN_BROKER", "CANHMAN_METRICS")}
    demo.options = ("--history", "0")
    try:
        demo.start()
        other.start()
        demo.wait_for("✓ serve", 60)
        other.wait_for("✓ serve", 60)
    finally:
        other.close()


@pytest.mark.parametrize("mark", ["Canh", "✓ ingest", "✓ serve"])
def test_a_terminal_that_is_closed_while_it_starts(demo: Demo, mark: str) -> None:
    """It ends as after SIGHUP: exit code 0, and no service failed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(demo.words, env=demo.env | {"TERM": "xterm"}, cwd=demo.folder, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    while mark.encode() not in seen:
        seen += os.read(master, 65_536)
    os.close(master)
    try:
        assert process.wait(30) == 0, demo.log
    finally:
        process.kill()
        process.wait()
    assert demo.faults() == []


def test_a_terminal_gets_one_screen_and_q_ends_it(demo: Demo) -> None:
    """Colour and shapes, and the terminal is given back."""
    environment = {k: v for k, v in demo.env.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "140", "LINES": "40"}
    master, slave = pty.openpty()
    process = subprocess.Popen(demo.words, env=environment, cwd=demo.folder, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""

    def read_until(mark: str, seconds: float) -> None:
        nonlocal seen
        deadline = time.monotonic() + seconds
        while mark.encode() not in seen:
            assert time.monotonic() < deadline, seen.decode(errors="replace")[-4000:]
            if select.select([master], [], [], 0.2)[0]:
                try:
                    seen += os.read(master, 65_536)
                except OSError:
                    pytest.fail(f"it ended:\n{seen.decode(errors='replace')[-4000:]}")

    try:
        read_until("q quits", 90)
        os.write(master, b"q")
        deadline = time.monotonic() + 15
        while process.poll() is None and time.monotonic() < deadline:  # what it still writes must be read, or it waits for us
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 65_536)
                except OSError:  # the other end is closed
                    break
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    text = seen.decode(errors="replace")
    assert "\x1b[38;2;" in text
    assert "Lấy và trữ nước được" in text or "Đừng lấy nước" in text
    assert text.rstrip().endswith("\x1b[?25h")  # the cursor is back
