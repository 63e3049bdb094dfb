"""What has come in over all connections and is not finished: one queue in order of arrival, with a bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice

from core.message import Message

_GO_ON = 0.75  # of the bound; telling ten thousand connections takes tens of milliseconds, so not at every batch
_OBJECT_BYTES = 400  # about what a Message and its strings weigh beside topic and payload


class Inbox:
    """A queue of messages, and the tokens of those handed out whose acknowledgement is awaited.

    Both together are bounded: at the bound `on_pause(True)` is called, for all connections to stop reading, and
    `on_pause(False)` when a quarter of it is free. `put` never refuses: what was read from a socket is kept. A message handed
    out counts until it is acknowledged, whether its connection still lives or not: whoever took it holds it in memory.
    """

    def __init__(self, *, max_batch: int, linger_s: float, max_messages: int, max_bytes: int, on_pause: Callable[[bool], None]) -> None:
        self.paused = False
        self._max_batch = max_batch
        self._linger_s = linger_s
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._on_pause = on_pause
        self._queue: deque[Message] = deque()
        self._awaited: set[int] = set()  # tokens handed out
        self._bytes = 0  # queued and handed out
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()

    def put(self, messages: Sequence[Message]) -> None:
        """Take messages in, at least one; what has no token counts until it is handed out."""
        queue = self._queue
        if not queue:
            self._arrived.set()
        queue += messages
        self._bytes += _size(messages)
        if len(queue) >= self._max_batch:
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
        queue = self._queue
        if len(queue) <= self._max_batch:
            taken = list(queue)
            queue.clear()
        else:
            taken = list(islice(queue, self._max_batch))
            for _ in taken:
                queue.popleft()
        self._awaited.update([message[8] for message in taken])  # [8] is the token: by name it costs twice as much
        if 0 in self._awaited:
            self._awaited.discard(0)
            self._bytes -= _size([message for message in taken if not message[8]])
        self._check()
        return taken

    def release(self, messages: Sequence[Message]) -> None:
        """These are acknowledged; one that was before, or never handed out, is skipped."""
        awaited = self._awaited
        done = [message for message in messages if message[8] in awaited]
        awaited.difference_update([message[8] for message in done])
        self._bytes -= _size(done)
        self._check()

    def _check(self) -> None:
        part = _GO_ON if self.paused else 1.0
        full = len(self._queue) + len(self._awaited) >= part * self._max_messages or self._bytes >= part * self._max_bytes
        if full != self.paused:
            self.paused = full
            if full:
                self._enough.set()  # no more will come, so there is nothing to linger for
            self._on_pause(full)


def _size(messages: Sequence[Message]) -> int:
    return sum([len(message[1]) + len(message[0]) for message in messages]) + _OBJECT_BYTES * len(messages)
