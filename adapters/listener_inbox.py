"""What has come in over all connections and is not finished: one queue in order of arrival, with a bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice

from core.message import Message

_OBJECT_BYTES = 400  # about what a Message and its strings weigh beside topic and payload


class Inbox:
    """A queue of messages, and the count of those handed out whose acknowledgement is awaited.

    Both together are bounded: at the bound `on_pause(True)` is called, for all connections to stop reading, and
    `on_pause(False)` when there is room again. `put` never refuses: what was read from a socket is kept.
    """

    def __init__(self, *, max_batch: int, linger_s: float, max_messages: int, max_bytes: int, on_pause: Callable[[bool], None]) -> None:
        self.paused = False
        self._max_batch = max_batch
        self._linger_s = linger_s
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._on_pause = on_pause
        self._queue: deque[Message] = deque()
        self._awaited: dict[int, int] = {}  # token → bytes once handed out, 0 while it is in the queue
        self._handed_out = 0
        self._bytes = 0  # queued and handed out
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()

    def put(self, message: Message) -> None:
        """Take a message in; one with a token counts until it is released, another until it is handed out."""
        self._queue.append(message)
        self._bytes += _size(message)
        if message.token:
            self._awaited[message.token] = 0
        if len(self._queue) == 1:
            self._arrived.set()
        if len(self._queue) >= self._max_batch:
            self._enough.set()
        self._check()

    async def batch(self) -> list[Message]:
        """At least one message, at most `max_batch`; lingers after the first. Cancelling it loses nothing."""
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            if self._linger_s > 0 and len(self._queue) < self._max_batch and not self.paused:
                self._enough.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._linger_s):
                        await self._enough.wait()
            if self._queue:
                return self._take()  # nothing is awaited between taking and returning

    def _take(self) -> list[Message]:
        queue, awaited = self._queue, self._awaited
        taken = list(islice(queue, self._max_batch))
        for message in taken:
            queue.popleft()
            size = _size(message)
            if message.token in awaited:
                awaited[message.token] = size
                self._handed_out += 1
            else:
                self._bytes -= size
        self._check()
        return taken

    def release(self, tokens: Iterable[int]) -> None:
        """These are acknowledged, or can no longer be; one still in the queue then counts until it is handed out."""
        for token in tokens:
            size = self._awaited.pop(token, 0)
            if size:
                self._handed_out -= 1
                self._bytes -= size
        self._check()

    def _check(self) -> None:
        full = len(self._queue) + self._handed_out >= self._max_messages or self._bytes >= self._max_bytes
        if full != self.paused:
            self.paused = full
            if full:
                self._enough.set()  # no more will come, so there is nothing to linger for
            self._on_pause(full)


def _size(message: Message) -> int:
    return len(message.payload) + len(message.topic) + _OBJECT_BYTES
