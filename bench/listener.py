"""What the listener costs: log-ins when power comes back, messages of many connections: `python -m bench.listener`.

    python -m bench.listener [--connections 1000] [--messages 200000] [--storm 5000]

A registry of as many devices with passwords of their own, the listener in front of it, and publishers on raw sockets in
another process. CPU is that of the listener's process: `alone` acknowledges at once, `with journal` after an fsync.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from adapters.journal import FileJournal
from adapters.listener import Limits, Listener
from adapters.mqtt_codec import V5, V311, Connect, Publish, encode
from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from canhman import descriptors, terminal
from canhman.authority import RegistryAuthority
from core.clock import SystemClock
from core.message import Message
from core.place import Device, Org
from registry.broker_files import hash_password

PASSWORD = "k3yk3yk3yk3yk3yk3yk3yk3yk3"  # noqa: S105 of devices that are not
PAYLOAD = b'{"seq":1841,"boot":12,"time":"2026-03-01T00:10:00Z","readings":{"water.ec":2.31,"water.temperature":28.4,"water.level":1.12},"battery":3.71}'
ORG = "default"


# ---------------------------------------------------------------- the other process


def load(port: int, connections: int, messages: int, window: int, version: int) -> None:
    """Log in all at once, say how long that took, then publish, `window` in flight on each connection; a line of figures each."""
    descriptors.raise_limit()
    poll, lines = select.epoll(), {}
    begun = time.monotonic()
    for n in range(connections):
        sock = socket.socket()
        sock.setblocking(False)
        if (code := sock.connect_ex(("127.0.0.1", port))) not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        lines[sock.fileno()] = (sock, n)
        poll.register(sock, select.EPOLLOUT)
    waits: list[float] = []
    while len(waits) < connections:
        for fd, event in poll.poll():
            sock, n = lines[fd]
            if event & select.EPOLLOUT:
                login = Connect(version=version, client_id=f"d{n}", username=f"d{n}", password=PASSWORD.encode(), clean_start=False)
                sock.send(encode(login, version))
                poll.modify(fd, select.EPOLLIN)
            elif not sock.recv(64):
                raise ConnectionError(f"d{n} was refused")
            else:
                waits.append(time.monotonic() - begun)
    print(waits[-1], sorted(waits)[len(waits) // 2], flush=True)
    sys.stdin.readline()
    publishes = {fd: encode(Publish(f"canhman/{ORG}/d{n}/telemetry", PAYLOAD, 1, 1), version) for fd, (_, n) in lines.items()}
    left, flying = messages, 0
    for fd, (sock, _) in lines.items():
        first = min(window, left)
        sock.send(publishes[fd] * first)
        left, flying = left - first, flying + first
    while flying:
        for fd, _ in poll.poll():
            sock = lines[fd][0]
            done = len(sock.recv(65_536)) // 4
            more = min(done, left)
            if more:
                sock.send(publishes[fd] * more)
            left, flying = left - more, flying + more - done
    print("done", flush=True)
    sys.stdin.readline()


# ---------------------------------------------------------------- the listener's


async def serve(source: Listener, keep: Callable[[Sequence[Message]], object]) -> None:
    """What `ingest` does with a batch, up to the acknowledgement."""
    while True:
        batch = await source.batch()
        keep(batch)
        source.acknowledge(batch)


def registry(folder: Path, devices: int) -> SqlDatabase:
    """One org, and devices with a password each."""
    url = f"sqlite:///{folder / 'registry.db'}"
    prepare(url)
    database = open_database(url)
    credential = hash_password(PASSWORD, salt=b"0" * 12)
    asyncio.run(database.put(Org(id=ORG, name=ORG), actor="bench"))
    known = [Device(id=f"d{n}", org=ORG, credential=credential) for n in range(devices)]
    for at in range(0, devices, 1000):
        asyncio.run(database.put(*known[at : at + 1000], actor="bench"))
    return database


async def measure(folder: Path, database: SqlDatabase, connections: int, messages: int, version: int, *, journal: bool) -> str:
    """One listener and one load: a row of the table."""
    authority = RegistryAuthority(database, b"0" * 32, closed=True)
    await asyncio.to_thread(authority.read)
    source = Listener("127.0.0.1", 0, authority=authority, clock=SystemClock(), limits=Limits(), sessions=folder / f"sessions-{connections}-{version}")
    await source.open()
    kept = FileJournal(folder / f"journal-{connections}-{version}-{journal}")
    kept.open()
    window = max(1, min(200, 4000 // connections))
    words = [sys.executable, "-m", "bench.listener", "--load", str(source.port), str(connections), str(messages), str(window), str(version)]
    other = await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdin is not None
    assert other.stdout is not None
    begun = time.process_time()
    last, median = (float(word) for word in (await other.stdout.readline()).split())
    login_us = 1e6 * (time.process_time() - begun) / connections
    task = asyncio.create_task(serve(source, kept.append if journal else len))
    begun, at = time.process_time(), time.monotonic()
    other.stdin.write(b"go\n")
    await other.stdout.readline()
    passed, cpu = time.monotonic() - at, time.process_time() - begun
    other.stdin.write(b"end\n")
    await other.wait()
    task.cancel()
    await source.close()
    kept.close()
    name = "3.1.1" if version == V311 else "5"
    logins = f"{connections / last:,.0f}/s, {login_us:.0f} us, median {median:.2f} s, last {last:.2f} s"
    how = "with journal" if journal else "alone"
    return f"| {connections:,} | {name} | {logins} | {how} | {messages / passed:,.0f} | {1e6 * cpu / messages:.1f} |"


def main(words: list[str]) -> int:
    """Print the table."""
    if words[:1] == ["--load"]:
        load(*(int(word) for word in words[1:]))
        return 0
    parser = argparse.ArgumentParser(prog="python -m bench.listener", description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--storm", type=int, default=5000, help="log-ins at once")
    given = parser.parse_args(words)
    descriptors.raise_limit()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    terminal.say("| Connections | MQTT | Log-ins | Messages | /s | CPU us each |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="canhman-bench-") as folder:
        database = registry(Path(folder), max(given.storm, given.connections))
        for connections, version, journal in (
            (50, V5, False),
            (50, V5, True),
            (given.connections, V311, False),
            (given.connections, V5, False),
            (given.connections, V5, True),
            (given.storm, V5, True),
        ):
            terminal.say(asyncio.run(measure(Path(folder), database, connections, given.messages, version, journal=journal)))
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
