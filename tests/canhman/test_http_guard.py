"""Strangers' connections: at most so many, none for longer than its deadline, and the pages answer meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from servers.waiting import until

from canhman import serving
from canhman.http_guard import Limits, cap
from canhman.settings import Settings
from canhman.signals import Signals

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.sockets
HALF = b"GET / HT"


@contextmanager
def served(folder: Path, limits: Limits) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Pages and figures in a thread; their addresses."""
    signals, said, failed = Signals(), [], []

    def run() -> None:
        settings = Settings(data=folder / "data", listen="127.0.0.1:0", metrics="127.0.0.1:0")
        try:
            asyncio.run(serving.serve(settings, wait_s=0.5, signals=signals, started=said.append, limits=limits))
        except BaseException as error:  # noqa: BLE001 the test looks at it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: said or failed or not thread.is_alive(), 60, "it started")
        ports = [int(word.rstrip(",").removesuffix("/metrics").rpartition(":")[2]) for word in said[0].split() if word.startswith("http")]
        yield ("127.0.0.1", ports[0]), ("127.0.0.1", ports[1])
    finally:
        signals.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert failed == []


def is_closed(one: socket.socket) -> bool:
    """Whether the server has closed it; what it said before is read and thrown away."""
    try:
        one.setblocking(False)
        while one.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def opened(stack: ExitStack, place: tuple[str, int], first: bytes) -> socket.socket:
    one = stack.enter_context(socket.create_connection(place, timeout=10))
    one.sendall(first)
    return one


def healthy(place: tuple[str, int]) -> float:
    """How long /healthz took [s]."""
    begun = time.monotonic()
    assert httpx.get(f"http://{place[0]}:{place[1]}/healthz", timeout=10).status_code == 200
    return time.monotonic() - begun


def test_half_open_connections_shut_nobody_out_and_are_closed_in_time(tmp_path: Path) -> None:
    """300 at a cap of 50: 250 are closed to make room, /healthz answers within a second, and no one stays past the deadline."""
    with served(tmp_path, Limits(connections=50, head_s=3.0)) as (pages, _), ExitStack() as stack:
        healthy(pages)
        half = [opened(stack, pages, HALF) for _ in range(300)]
        begun = time.monotonic()
        assert healthy(pages) < 1.0
        until(lambda: sum(map(is_closed, half)) >= 250, 2.0, "those beyond the cap are closed")
        assert not all(map(is_closed, half[-20:]))  # those within it have their time
        until(lambda: all(map(is_closed, half)), 10.0, "all are closed")
        assert time.monotonic() - begun < 6.0
        assert healthy(pages) < 1.0


def test_both_servers_of_a_process_are_counted_together(tmp_path: Path) -> None:
    """Descriptors are the process's: what waits at the figures makes way for the pages."""
    with served(tmp_path, Limits(connections=10)) as (pages, figures), ExitStack() as stack:
        first = [opened(stack, figures, HALF) for _ in range(10)]
        until(lambda: not any(map(is_closed, first)), 5, "ten are within the cap")
        second = [opened(stack, pages, HALF) for _ in range(10)]
        until(lambda: all(map(is_closed, first)), 5, "the older ones made way")
        assert not any(map(is_closed, second))


def test_a_byte_now_and_then_puts_no_deadline_off(tmp_path: Path) -> None:
    """A head, and the head of a second request, that never end are closed like those that stop."""
    with served(tmp_path, Limits(connections=50, head_s=1.0)) as (pages, _), ExitStack() as stack:
        for first in (b"GET / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n"):
            one = opened(stack, pages, first)
            begun = time.monotonic()

            def drip(one: socket.socket = one) -> bool:
                if is_closed(one):
                    return True
                try:
                    one.send(b"X")
                except OSError:
                    return True
                return False

            until(drip, 5, "it is closed", every=0.1)
            assert 0.5 < time.monotonic() - begun < 4.0


def test_a_body_that_never_ends_is_closed_and_logged_as_no_fault(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One that stops and one that drips, to a route that reads it and to one that does not; a whole one is answered."""
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nX-Requested-With: t\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    with served(tmp_path, Limits(connections=50, body_s=1.0)) as (pages, _), ExitStack() as stack:
        slow = [opened(stack, pages, head % path) for path in (b"/api/v1/session", b"/nowhere") for _ in range(2)]

        def drip() -> bool:
            for one in slow[::2]:
                try:
                    one.send(b" ")
                except OSError:
                    continue
            return all(map(is_closed, slow))

        until(drip, 8, "all are closed", every=0.1)
        url = f"http://{pages[0]}:{pages[1]}/api/v1/session"
        answer = httpx.post(url, json={"name": "lan", "password": "sai"}, headers={"X-Requested-With": "t"}, timeout=20)
        assert answer.status_code == 401
    shown = "".join(capfd.readouterr())
    assert "Traceback" not in shown
    assert "a fault" not in shown


def test_an_answer_nobody_reads_is_given_up(tmp_path: Path) -> None:
    """Hundreds of requests in one connection whose answers are not read: closed after its time."""
    with served(tmp_path, Limits(connections=50, unread_s=1.0, body_s=1.0)) as (pages, _), ExitStack() as stack:
        one = stack.enter_context(socket.socket())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(pages)
        one.settimeout(0.2)

        def ask() -> bool:
            try:
                one.send(b"GET /docs HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        until(ask, 60, "it is closed")
        assert healthy(pages) < 1.0


def test_a_connection_is_used_again_as_before(tmp_path: Path) -> None:
    """Many requests one after the other, past the deadline of a head, in the same connection."""
    with served(tmp_path, Limits(connections=5, head_s=0.5)) as (pages, _), httpx.Client(base_url=f"http://{pages[0]}:{pages[1]}", timeout=10) as client:
        begun, answers = time.monotonic(), 0
        while time.monotonic() - begun < 1.5:
            assert client.get("/healthz").status_code == 200
            answers += 1
        assert answers > 3


@pytest.mark.parametrize(("descriptors", "connections"), [(1024, 512), (65_536, 2000), (1, 1)])
def test_the_cap_is_half_of_the_descriptors(descriptors: int, connections: int) -> None:
    """Two thousand at most."""
    assert cap(descriptors) == connections


def test_a_process_with_few_descriptors_answers_and_says_little(tmp_path: Path) -> None:
    """`canhman up` with 400 descriptors and 900 half-open connections: pages and the MQTT listener answer, the log stays short."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        broker = free.getsockname()[1]
    own = {"DATA": str(tmp_path / "data"), "LISTEN": "127.0.0.1:0", "METRICS": "127.0.0.1:0", "BROKER": f"embedded://127.0.0.1:{broker}"}
    env = clean | {f"CANHMAN_{k}": v for k, v in own.items()} | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        command = ["sh", "-c", 'ulimit -n 400; exec "$0" -m canhman up', sys.executable]
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=tmp_path)
    try:
        until(lambda: "figures at" in log.read_text() or process.poll() is not None, 60, log.read_text)
        url = next(word for word in log.read_text().split() if word.startswith("http://")).rstrip(",")
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        with ExitStack() as stack:
            for _ in range(900):
                opened(stack, place, HALF)
            assert healthy(place) < 2.0
            mqtt = opened(stack, ("127.0.0.1", broker), b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")
            mqtt.settimeout(5)
            assert mqtt.recv(4)[:1] == b"\x20"  # CONNACK, whatever it says
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(log.read_bytes()) < 20_000, log.read_text()[:3000]
    assert "Traceback" not in log.read_text()
