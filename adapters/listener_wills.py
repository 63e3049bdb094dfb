"""Last wills that wait: MQTT 5 lets a client ask for some time to come back before its will is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapters.listener_sessions import Key

Publish = Callable[[], None]

MOST = 100_000  # that wait; one more is published at once


class Wills:
    """By client, what is to be published and when. A client that comes back into its session takes its will with it."""

    def __init__(self) -> None:
        self._waiting: dict[Key, tuple[asyncio.TimerHandle, Publish]] = {}

    def leave(self, key: Key, delay_s: float, publish: Publish) -> None:
        """A client is gone: call `publish` in `delay_s`."""
        if delay_s <= 0 or len(self._waiting) >= MOST:
            publish()
            return
        handle = asyncio.get_running_loop().call_later(delay_s, self._due, key)
        self._waiting[key] = handle, publish

    def come_back(self, key: Key, *, resumed: bool) -> None:
        """The client is here again: in its session the will is void (MQTT-3.1.3-9), without it the session has ended, and the will is due."""
        if found := self._waiting.pop(key, None):
            handle, publish = found
            handle.cancel()
            if not resumed:
                publish()

    def close(self) -> None:
        """The listener ends: nobody's will is due because of us."""
        for handle, _ in self._waiting.values():
            handle.cancel()
        self._waiting.clear()

    def _due(self, key: Key) -> None:
        _, publish = self._waiting.pop(key)
        publish()
