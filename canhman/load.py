"""A publisher for measurements: packets made beforehand, raw sockets, a process of its own. `python -m canhman.load` reads what to do on
standard input, says `ready` once all is encoded and connected, begins at the next line, and prints what became of it as JSON.

It must cost less than what is measured: MQTT 3.1.1, QoS 1, acknowledgements are counted and not read (each is four bytes).
"""

from __future__ import annotations

import json
import math
import random
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.mqtt_codec import V311, Connack, Connect, Publish, StreamDecoder, encode
from core.clock import rfc3339
from core.errors import RefusedError, UnavailableError

CHUNK = 256  # messages handed to the system at once
_ACK = 4  # bytes of a PUBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`count` messages of `devices` devices in turn, a step of `step_ms` between two of a device; `rate` a second, 0: as fast as it goes."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls_ca: str = ""
    tls: bool = False
    org: str = "default"
    prefix: str = "bench"
    devices: int
    count: int
    begin: int  # time of the first message [ms]
    step_ms: int = 60_000
    boot: int = 1
    rate: float = 0
    window: int = 1000
    connections: int = 1
    times: str = ""  # file for the moment of each publish (.npy, seconds of the monotonic clock)


def device(prefix: str, number: int) -> str:
    """Its id."""
    return f"{prefix}{number:05}"


def messages(load: Load, rng: random.Random) -> list[tuple[str, bytes]]:
    """(topic, payload): some 200 bytes with three readings of a tide, a battery and a signal."""
    phases = [rng.uniform(0, 6.28) for _ in range(load.devices)]
    topics = [f"canhman/{load.org}/{device(load.prefix, n)}/telemetry" for n in range(load.devices)]
    noise = [rng.gauss(0, 0.02) for _ in range(997)]
    found = []
    for n in range(load.count):
        turn, number = divmod(n, load.devices)
        tide = math.sin(phases[number] + turn * load.step_ms / 7_116_000) + noise[n % 997]
        at = rfc3339(load.begin + turn * load.step_ms + number % 1000)
        readings = f'"water.ec": {5 + 3 * tide:.2f}, "water.temperature": {28 + tide:.2f}, "water.level": {1 + tide:.2f}'
        body = f'{{"seq": {turn}, "boot": {load.boot}, "time": "{at}", "readings": {{{readings}}}, "battery": 3.71, "rssi": -97}}'
        found.append((topics[number], body.encode()))
    return found


class _Line:
    """One connection with its share of the messages, encoded."""

    def __init__(self, load: Load, number: int, share: Sequence[tuple[str, bytes]], context: ssl.SSLContext | None) -> None:
        frames = [encode(Publish(topic, payload, 1, n % 65_535 + 1), V311) for n, (topic, payload) in enumerate(share)]
        self.data = b"".join(frames)
        self.ends: NDArray[np.int64] = np.cumsum([0, *(len(frame) for frame in frames)], dtype=np.int64)
        self.count = len(share)
        self.sent = 0  # messages given to the system whole
        self.at = 0  # bytes
        self.acknowledged = 0
        self._rest = 0
        self.socket = _connected(load, number, context)

    def send(self, until: int) -> bool:
        """Give the system messages up to number `until`; False where it takes no more."""
        end = int(self.ends[until])
        while self.at < end:
            try:
                self.at += self.socket.send(memoryview(self.data)[self.at : end])
            except (BlockingIOError, ssl.SSLWantWriteError):
                break
        self.sent = int(np.searchsorted(self.ends, self.at, side="right")) - 1
        return self.at >= end

    def receive(self) -> None:
        """Count acknowledgements. Raises UnavailableError where the line is gone."""
        while True:
            try:
                data = self.socket.recv(65_536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise UnavailableError(f"the line broke: {error}") from error
            if not data:
                raise UnavailableError("the broker closed the line")
            whole, self._rest = divmod(self._rest + len(data), _ACK)
            self.acknowledged += whole
            if len(data) < 65_536:
                return


def _connected(load: Load, number: int, context: ssl.SSLContext | None) -> socket.socket:
    line = socket.create_connection((load.host, load.port), timeout=10)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        line = context.wrap_socket(line, server_hostname=load.host)
    who = {"username": load.user, "password": load.password.encode()} if load.user else {}
    line.sendall(encode(Connect(version=V311, client_id=f"canhman-load-{load.boot}-{number}", keep_alive=0, **who)))  # type: ignore[arg-type] # two of its fields
    decoder = StreamDecoder(version=V311)
    while True:
        data = line.recv(4096)
        if not data:
            raise RefusedError(f"{load.host}:{load.port} closed the line at CONNECT")
        decoder.feed(data)
        for packet in decoder:
            if not isinstance(packet, Connack) or packet.reason:
                raise RefusedError(f"{load.host}:{load.port} refuses user {load.user!r}: {packet}")
            line.setblocking(False)
            return line


def publish(load: Load, lines: Sequence[_Line]) -> dict[str, float]:
    """Publish everything and wait for the acknowledgements; (begin, end of publishing, end of acknowledging) and how many."""
    moments = np.zeros(load.count) if load.times else None
    total = sum(line.count for line in lines)
    with selectors.DefaultSelector() as ready:
        for line in lines:
            ready.register(line.socket, selectors.EVENT_READ, line)
        blocked: set[_Line] = set()
        began = time.monotonic()
        published = 0.0
        while sum(line.acknowledged for line in lines) < total:
            idle = True
            for line in lines:
                upto = min(line.count, line.acknowledged + load.window, line.sent + CHUNK)
                if load.rate:
                    upto = min(upto, int((time.monotonic() - began) * load.rate / len(lines)))
                if upto > line.sent and line not in blocked:
                    idle = False
                    before = line.sent
                    if not line.send(upto):
                        blocked.add(line)
                        ready.modify(line.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
                    if moments is not None:
                        moments[before : line.sent] = time.monotonic()
                    published = time.monotonic()
            for key, events in ready.select((0.0005 if load.rate else 0.01) if idle else 0):
                if events & selectors.EVENT_WRITE:
                    blocked.discard(key.data)
                    ready.modify(key.fileobj, selectors.EVENT_READ, key.data)
                if events & selectors.EVENT_READ:
                    key.data.receive()
    if moments is not None:
        np.save(load.times, moments)
    return {"began": began, "published": published, "acknowledged": time.monotonic(), "count": total}


def main() -> None:
    """Read the load, make it ready, wait for the word, publish."""
    load = Load(**json.loads(sys.stdin.readline()))
    found = messages(load, random.Random(load.boot))  # noqa: S311 a load, no secret
    context = ssl.create_default_context(cafile=load.tls_ca or None) if load.tls else None
    lines = [_Line(load, number, found[number :: load.connections], context) for number in range(load.connections)]
    print("ready", flush=True)  # noqa: T201 for the process that started us
    sys.stdin.readline()
    print(json.dumps(publish(load, lines)), flush=True)  # noqa: T201 as above
    for line in lines:
        line.socket.close()


def spec(load: Load) -> str:
    """What `main` reads."""
    return json.dumps(asdict(load))


ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    main()
