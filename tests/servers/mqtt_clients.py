"""Both clients of a broker, for tests that ask the same of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from adapters.mqtt import PahoSource
from adapters.mqtt_own import OwnSource

TOPIC = "canhman/o/d/telemetry"
Source = PahoSource | OwnSource
CLIENTS: dict[str, type[Source]] = {"paho": PahoSource, "own": OwnSource}


def source_of(client: str, port: int, **more: Any) -> Source:
    """The session `ingest` at a broker here, without a linger, not opened."""
    return CLIENTS[client]("127.0.0.1", port, client_id="ingest", **{"linger_s": 0.0, "timeout_s": 2.0, **more})


def run(test: Coroutine[Any, Any, None]) -> None:
    """A test that must end within a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


async def seen(condition: Callable[[], object]) -> None:
    """Until it holds, turn by turn of the loop."""
    while not condition():
        await asyncio.sleep(0.001)
