"""Every message source and publisher in its surroundings: what the conformance tests are run against."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers.mosquitto import Mosquitto
from servers.ports import free_port
from servers.tcp_proxy import TcpProxy

from adapters.listener import Listener
from adapters.memory_broker import MemoryBroker
from adapters.mqtt import PahoSource
from adapters.mqtt_own import OwnSource
from adapters.mqtt_publisher import PahoPublisher
from core.clock import SystemClock
from core.ports import MessageSource, Publisher
from registry.broker_files import hash_password

DEVICES = ("a", "b")  # who may log in, each to publish below canhman/o/ITSELF/


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A source not yet open, a maker of publishers by device, and a way to cut the line over which messages come again."""

    source: MessageSource
    publisher: Callable[[str], Publisher]
    cut: Callable[[], Awaitable[None]]
    broker: bool  # something between the two keeps messages and acknowledges them itself


RigFactory = Callable[[Path], AbstractAsyncContextManager[Rig]]


@contextlib.asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[Rig]:
    """The broker within the process."""
    broker = MemoryBroker(allowed=lambda source, topic: topic.split("/")[2] == source)

    async def cut() -> None:
        broker.reconnect()

    yield Rig(source=broker, publisher=broker.publisher, cut=cut, broker=True)


@contextlib.asynccontextmanager
async def paho_and_mosquitto(folder: Path) -> AsyncIterator[Rig]:
    """paho on both ends of a real Mosquitto; the line to the source is cut."""
    async with _at_mosquitto(folder, PahoSource) as rig:
        yield rig


@contextlib.asynccontextmanager
async def own_and_mosquitto(folder: Path) -> AsyncIterator[Rig]:
    """Our own client behind a real Mosquitto; the line to it is cut."""
    async with _at_mosquitto(folder, OwnSource) as rig:
        yield rig


@contextlib.asynccontextmanager
async def _at_mosquitto(folder: Path, client: type[PahoSource] | type[OwnSource]) -> AsyncIterator[Rig]:
    users = "".join(f"{name}:{hash_password('pw', salt=b'0' * 12)}\n" for name in (*DEVICES, "ingest"))
    acl = "user ingest\ntopic read #\n\npattern write canhman/o/%u/telemetry\n"
    with Mosquitto(folder, users=users, acl=acl, config="max_inflight_messages 1000") as server:
        async with TcpProxy(server.port) as proxy:
            yield Rig(
                source=client("127.0.0.1", proxy.port, client_id="ingest", username="ingest", password="pw"),
                publisher=lambda name: PahoPublisher("127.0.0.1", server.port, client_id=name, username=name, password="pw"),
                cut=proxy.cut,
                broker=True,
            )


class _Authority:
    """Each device publishes below its own name."""

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        return f"device:{username}" if password == b"pw" and username in DEVICES else None

    def may_publish(self, principal: str, topic: str) -> bool:
        return topic.split("/")[2] == principal.removeprefix("device:")

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        return False


@contextlib.asynccontextmanager
async def paho_and_listener(folder: Path) -> AsyncIterator[Rig]:
    """paho on our own listener; the lines of the devices are cut."""
    port = free_port()
    async with TcpProxy(port) as proxy:
        yield Rig(
            source=Listener("127.0.0.1", port, authority=_Authority(), clock=SystemClock()),
            publisher=lambda name: PahoPublisher("127.0.0.1", proxy.port, client_id=name, username=name, password="pw"),
            cut=proxy.cut,
            broker=False,
        )


RIGS = [
    pytest.param(memory, id="memory"),
    pytest.param(paho_and_mosquitto, id="mosquitto", marks=pytest.mark.servers),
    pytest.param(own_and_mosquitto, id="own-mosquitto", marks=pytest.mark.servers),
    pytest.param(paho_and_listener, id="listener", marks=pytest.mark.sockets),
]
