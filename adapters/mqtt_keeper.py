"""Staying connected to a broker: what every client of ours does when a connection goes, whatever library speaks on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from adapters.mqtt_endpoint import Endpoint
from core.errors import RefusedError, UnavailableError

log = structlog.get_logger(__name__)

FIRST_DELAY_S = 0.2
LAST_DELAY_S = 5.0
GRACE_S = 5.0  # a broker that is started again, or a line that breaks, is back by then
_KEPT = "a broker keeps what devices send for us meanwhile"
_OFTEN, _OFTEN_S = 4, 60.0  # so often within so long: it does not last


class Keeper:
    """Reconnects for ever, ever more patiently; one line in the log when the connection goes and one when it is back.

    `connect` makes one connection and raises UnavailableError or RefusedError, with nothing left open, where it cannot;
    `ready` is called each time it stands.
    """

    def __init__(self, endpoint: Endpoint, connect: Callable[[], Awaitable[None]], ready: Callable[[], object]) -> None:
        self.connected = False
        self.connections = 0
        self._endpoint = endpoint
        self._connect = connect
        self._ready = ready
        self._down = asyncio.Event()
        self._reason = ""
        self._why = ""  # it cannot be made again, by the last attempt
        self._lost_at: deque[float] = deque(maxlen=_OFTEN)
        self._since = 0.0
        self._unwelcome = False
        self._refused = False  # our log-in, since the connection went
        self._task: asyncio.Task[None] | None = None

    @property
    def reason(self) -> str:
        """Why the last connection went."""
        return self._reason

    @property
    def trouble(self) -> str:
        """What is wrong with the connection, in words; empty where it stands and lasts, or went but now."""
        now, where = asyncio.get_running_loop().time(), self._endpoint
        if self._lost_at and not self.connected and now - self._lost_at[-1] >= GRACE_S:
            kept = "a broker that lets us in no more may keep nothing for us of what devices send" if self._refused else _KEPT
            return f"no connection; {kept}. {self._why or f'{where}: {self._reason}'}"
        if len(self._lost_at) == _OFTEN and now - self._lost_at[0] < _OFTEN_S:
            return f"the connection to {where} is lost again and again ({self._reason}): does somebody else connect as {where.client_id!r}?"
        return ""

    async def open(self) -> None:
        """Connect, and keep connected from now on. Raises what `connect` raises."""
        await self._once()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"{self._endpoint} {self._endpoint.client_id}")

    async def close(self) -> None:
        """Stop coming back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def lost(self, reason: str, *, unwelcome: bool = False) -> None:
        """The connection is gone; `unwelcome`: it will go again where we come back at once."""
        if self.connected:
            self._lost_at.append(asyncio.get_running_loop().time())
        self.connected = False
        self._reason, self._why = reason, ""
        self._unwelcome = unwelcome
        self._down.set()

    async def _once(self) -> None:
        await self._connect()
        self.connected = True
        self.connections += 1
        self._since = asyncio.get_running_loop().time()
        self._down.clear()
        self._ready()

    async def _keep(self) -> None:
        loop, where = asyncio.get_running_loop(), self._endpoint
        delay = FIRST_DELAY_S
        while True:
            await self._down.wait()
            gone = loop.time()
            if gone - self._since > LAST_DELAY_S:  # a connection that only just came up does not make us eager again
                delay = FIRST_DELAY_S
            if self._unwelcome:
                delay = LAST_DELAY_S
            log.warning("mqtt connection lost", broker=str(where), client=where.client_id, reason=self._reason)
            told = False
            while not self.connected:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LAST_DELAY_S)
                try:
                    await self._once()
                except UnavailableError as error:
                    self._why = str(error)
                except Exception as error:  # noqa: BLE001 - a fault in here must not end the reconnecting
                    self._why, self._refused = str(error), isinstance(error, RefusedError)
                    if not told:
                        log.error("mqtt cannot connect again", client=where.client_id, error=str(error))
                    told = True
            if self._refused:  # Mosquitto takes a session's rights away with its log-in, and hands it nothing more: it says neither then nor now
                log.error("the broker had refused us: what it should have kept for us meanwhile may be lost (canhman devices gaps)", client=where.client_id)
                self._refused = False
            log.info("mqtt connected again", broker=str(where), client=where.client_id, after_s=round(loop.time() - gone, 1))
