"""Messages of a broker between the socket and whoever takes them in batches, and which of them may be acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from core.message import Message

COUNTERS = {
    "received": "messages read",
    "duplicates": "messages read that the broker marks as sent before",
    "acknowledged": "messages acknowledged",
    "stale": "messages stored whose connection was gone before they could be acknowledged: the broker sends them again",
    "broker_dropped": "messages the broker says it acknowledged to publishers and then dropped",
}

# Mosquitto's default number of messages in flight over 3.1.1: with as many unacknowledged nothing more may be coming, and
# a linger that goes on only lets the broker's queue grow to where it drops (1000 messages by default). Where more were once
# unacknowledged, over the same connection, its window is no smaller than that.
_LIKELY_WINDOW = 20
_IDLE_S = 0.001
_BATCHES = 4  # wait here at most, then the socket is left alone
MOST_BYTES = 64 << 20  # and of topics and payloads: a thousand messages of the most a broker takes are a gigabyte


def token_of(serial: int, packet_id: int) -> int:
    """What `Message.token` is here: rising with the order of arrival over all connections, with the packet identifier in it."""
    return serial << 16 | packet_id


class Inbox:
    """A batch is ripe `linger_s` after its first message, at `max_batch`, or where the broker sends no more before it hears from us.

    `window`: how many unacknowledged messages the broker sends at most, where that is known. Tokens are of one connection:
    `lost` forgets them, and what was read stays to be taken. `wake` reads on: who gives it may leave the socket alone while
    `rests`, and is woken before the linger ends, so that a few messages a batch cost two turns of the loop and not one each.
    """

    def __init__(self, *, linger_s: float, max_batch: int, window: int = 0xFFFF, wake: Callable[[], None] | None = None) -> None:
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._linger_s = linger_s
        self._max_batch = max_batch
        self._window = window
        self._wake = wake
        self._began = 0.0  # when the first message of those that wait came
        self._last = 0  # how many the last batch had
        self._likely = _LIKELY_WINDOW  # with so many unacknowledged the window may be full
        self._is_due = False
        self._waiting: list[Message] = []
        self._bytes = 0  # of those
        self._unacknowledged: set[int] = set()
        self.aside: list[int] = []  # tokens of what is no message, and still to be acknowledged
        self._ripe = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def enough(self) -> bool:
        """Whether a few batches wait, or long messages: time to stop reading."""
        return self._bytes >= MOST_BYTES or len(self._waiting) >= _BATCHES * self._max_batch

    @property
    def rests(self) -> bool:
        """Whether nothing need be read before the linger ends.

        Never where a window may be filling: after a batch as long as one the first moment tells.
        """
        if self._wake is None or not self._waiting or self._is_due or self._ripe.is_set():
            return False
        if max(len(self._waiting), len(self._unacknowledged)) >= self._likely:
            return False
        return self._last < self._likely or asyncio.get_running_loop().time() - self._began >= _IDLE_S

    def put(self, messages: Sequence[Message], *, duplicates: int) -> None:
        """Take these in, of which `duplicates` are marked as sent before; a token of 0 is one that needs no acknowledgement."""
        waiting, unacknowledged = self._waiting, self._unacknowledged
        first = not waiting
        waiting += messages
        self._bytes += _size(messages)
        unacknowledged.update([message[8] for message in messages])  # [8] is the token: a name costs twice as much
        unacknowledged.discard(0)
        self._likely = max(self._likely, len(unacknowledged))
        self.counters["received"] += len(messages)
        self.counters["duplicates"] += duplicates
        if len(waiting) >= self._max_batch or self._bytes >= MOST_BYTES or len(unacknowledged) >= self._window or not self._linger_s:
            self._ripe.set()
        elif not self._ripe.is_set():
            loop = asyncio.get_running_loop()
            if first:
                self._began = loop.time()
                self._timer = loop.call_at(self._began + self._linger_s - (_IDLE_S if self._wake else 0.0), self._due)
            if self._idle is None and len(unacknowledged) >= self._likely:
                self._idle = loop.call_later(_IDLE_S, self._still, self.counters["received"])

    async def batch(self) -> list[Message]:
        """At least one message, at most `max_batch`. Cancelling it loses nothing."""
        await self._ripe.wait()
        return self._take()

    def put_aside(self, token: int) -> None:
        """What came at QoS 1 and is no message: `settle` acknowledges it once all that came before it is, for the order counts."""
        self.aside.append(token)

    @property
    def settled(self) -> int | None:
        """How many messages have been acknowledged so far; None while one waits for it."""
        return None if self._unacknowledged else self.counters["acknowledged"]

    def settle(self, messages: Sequence[Message]) -> list[int]:
        """The packet identifiers to acknowledge for these, in order of arrival; the others are of QoS 0, settled or stale."""
        tokens = [message[8] for message in messages if message[4]]  # [4] is the QoS
        fresh = self._unacknowledged.intersection(tokens)
        if len(fresh) == len(tokens):
            tokens.sort()  # free where they are in order, as they mostly are
        else:
            self.counters["stale"] += len(tokens) - len(fresh)
            tokens = sorted(fresh)
        self._unacknowledged -= fresh
        self.counters["acknowledged"] += len(tokens)
        if self.aside:
            before = min(self._unacknowledged, default=self.aside[-1] + 1)
            tokens = sorted([*tokens, *(token for token in self.aside if token < before)])
            self.aside = [token for token in self.aside if token > before]
        return [token & 0xFFFF for token in tokens]

    def lost(self) -> None:
        """The connection is gone: acknowledgements of what came over it no longer mean anything to the broker."""
        self._unacknowledged.clear()
        self.aside.clear()
        self._likely = _LIKELY_WINDOW

    def _take(self) -> list[Message]:
        taken, self._waiting = self._waiting, []
        if len(taken) > self._max_batch:
            taken, self._waiting = taken[: self._max_batch], taken[self._max_batch :]
        else:
            self._ripe.clear()
        self._bytes = _size(self._waiting)
        self._last, self._is_due = len(taken), False
        for timer in (self._timer, self._idle):
            if timer is not None:
                timer.cancel()
        self._timer = self._idle = None
        return taken

    def _due(self) -> None:
        """The linger is over. Its last moment is for what came while the socket was left alone, and for what its reading lets the broker send."""
        if self._wake is None:
            self._ripe.set()
            return
        self._is_due = True
        self._timer = asyncio.get_running_loop().call_later(_IDLE_S, self._ripe.set)
        self._wake()

    def _still(self, received: int) -> None:
        """Look whether the stream stands still, where a window may be full."""
        self._idle = None
        if self._ripe.is_set() or not self._waiting:
            return
        if received == self.counters["received"]:
            self._ripe.set()
        else:
            self._idle = asyncio.get_running_loop().call_later(_IDLE_S, self._still, self.counters["received"])


def _size(messages: Sequence[Message]) -> int:
    return sum([len(message[0]) + len(message[1]) for message in messages])
