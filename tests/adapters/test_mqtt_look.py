"""A look at a retained topic of a real Mosquitto, and what it says of dropped messages."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from servers.mosquitto import Mosquitto
from servers.ports import free_port
from servers.waiting import until

from adapters.mqtt import PahoSource
from adapters.mqtt_look import read_retained
from adapters.mqtt_publisher import PahoPublisher
from core.errors import UnavailableError
from registry.permissions import BROKER_STATE

pytestmark = pytest.mark.servers


def test_mosquitto_tells_what_it_dropped(tmp_path: Path) -> None:
    """0 at first; after more messages for an absent session than its queue holds, the number it dropped (each was acknowledged)."""
    with Mosquitto(tmp_path, config="sys_interval 1\nmax_queued_messages 10\nmax_inflight_messages 1\n") as broker:
        assert _until(broker, "0") == "0"

        async def overfill() -> None:
            await _make_session(broker)
            publisher = PahoPublisher("127.0.0.1", broker.port, client_id="p")
            await publisher.open()
            for _ in range(30):
                await publisher.publish("canhman/default/kl01/telemetry", b"{}")
            await publisher.close()

        asyncio.run(overfill())
        assert int(_until(broker, None) or 0) >= 15


async def _make_session(broker: Mosquitto) -> None:
    """Ingest's session with its subscriptions, and nobody in it."""
    source = PahoSource("127.0.0.1", broker.port, client_id="ingest")
    await source.open()
    await source.close()


def _until(broker: Mosquitto, wanted: str | None) -> str | None:
    """Mosquitto renews its figures each second: look until it says `wanted` (None: anything but 0)."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = read_retained("127.0.0.1", broker.port, BROKER_STATE, client_id="look", timeout_s=1.5)
        if found is not None and (found == wanted if wanted is not None else found != "0"):
            return found
        time.sleep(0.1)  # its figures are renewed by time alone
    return None


def test_a_topic_nobody_filled_is_none(tmp_path: Path) -> None:
    """Nothing retained: None, after the time-out."""
    with Mosquitto(tmp_path) as broker:
        assert read_retained("127.0.0.1", broker.port, "nothing/here", client_id="look", timeout_s=0.3) is None
        until(lambda: "Client look disconnected." in broker.log, 15, lambda: f"it says good-bye:\n{broker.log}")


def test_no_broker_is_unavailable() -> None:
    """Nobody listens: one line that names the address."""
    port = free_port()
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}"):
        read_retained("127.0.0.1", port, "x", client_id="look")


def test_a_source_hears_of_it(tmp_path: Path) -> None:
    """Ingest's own subscription brings the count as it changes, apart from the messages."""
    with Mosquitto(tmp_path, config="sys_interval 1\nmax_queued_messages 10\n") as broker:

        async def listen() -> int:
            await _make_session(broker)
            publisher = PahoPublisher("127.0.0.1", broker.port, client_id="p")
            await publisher.open()
            for _ in range(30):
                await publisher.publish("canhman/default/kl01/telemetry", b"{}")
            source = PahoSource("127.0.0.1", broker.port, client_id="ingest")
            await source.open()
            kept = await source.batch()
            source.acknowledge(kept)
            async with asyncio.timeout(20):
                while not source.counters["broker_dropped"]:
                    await asyncio.sleep(0.05)
            await source.close()
            await publisher.close()
            assert all(m.topic == "canhman/default/kl01/telemetry" for m in kept)
            return len(kept) + source.counters["broker_dropped"]

        assert asyncio.run(listen()) == 30
