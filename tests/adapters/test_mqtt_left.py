"""A broker that dies has handed over more than was read: what had reached our socket is delivered, though a write finds the line broken first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from servers.certificates import certificate

from adapters.mqtt import PahoSource
from adapters.mqtt_codec import V5, V311, Connack, Connect, Publish, StreamDecoder, Suback, Subscribe, Unsuback, Unsubscribe, encode
from adapters.mqtt_own import OwnSource
from core.message import Message

pytestmark = pytest.mark.sockets

COUNT = 300


class DyingBroker:
    """Takes one client, sends a message, and at the word COUNT more, and is gone with a reset."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.word, self.gone = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        line, _ = self._listener.accept()
        if self._tls is not None:
            line = self._tls.wrap_socket(line, server_side=True)
        line.settimeout(0.02)
        decoder, version, begun = StreamDecoder(), V311, False
        while not self.word.is_set():
            with contextlib.suppress(TimeoutError):
                decoder.feed(line.recv(65_536))
            for packet in decoder:
                if isinstance(packet, Connect):
                    version = packet.version
                    line.sendall(encode(Connack(), version))
                elif isinstance(packet, Subscribe):
                    line.sendall(encode(Suback(packet_id=packet.packet_id, reasons=tuple(1 for _ in packet.subscriptions)), version))
                    if not begun:
                        begun = True
                        line.sendall(self._message(0, version))
                elif isinstance(packet, Unsubscribe):
                    reasons = tuple(0 for _ in packet.topic_filters) if version == V5 else ()
                    line.sendall(encode(Unsuback(packet_id=packet.packet_id, reasons=reasons), version))
        line.settimeout(20)
        line.sendall(b"".join(self._message(n, version) for n in range(1, COUNT + 1)))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()  # with a reset, as by a kernel that still held acknowledgements for a process that was killed
        self.gone.set()

    def _message(self, number: int, version: int) -> bytes:
        return encode(Publish("canhman/o/d/telemetry", b"%d" % number, 1, number + 1), version)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("kind", [PahoSource, OwnSource], ids=["paho", "own"])
def test_what_had_reached_us_is_delivered(tmp_path: Path, kind: Any, tls: bool) -> None:
    """Our loop is busy while the broker sends and dies; its next act is an acknowledgement, which fails. Every message comes, in order."""
    context, how = None, {}
    if tls:
        cert, key = certificate(tmp_path, "broker")
        context, how = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), {"tls": True, "tls_ca": str(cert)}
        context.load_cert_chain(cert, key)
    broker = DyingBroker(context)
    source = kind("127.0.0.1", broker.port, client_id="c", filters=("canhman/+/+/telemetry",), linger_s=0, **how)

    async def run() -> list[Message]:
        await source.open()
        got = await source.batch()
        broker.word.set()
        broker.gone.wait(20)  # the loop stands still meanwhile
        source.acknowledge(got)
        source.acknowledge(got)
        async with asyncio.timeout(10):
            while len(got) <= COUNT:
                got += await source.batch()
        await source.close()
        return got

    try:
        got = asyncio.run(run())
    finally:
        broker.close()
    assert [message.payload for message in got] == [b"%d" % n for n in range(COUNT + 1)]
