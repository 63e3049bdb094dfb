"""Sending in order, a few at a time, until somebody took each message: what a device does, and a replay for many of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from core.errors import UnavailableError
from core.ports import Delivery

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds (of the wall) before the next attempt: `first`, doubled each time up to `most`."""

    first: float = 0.5
    most: float = 30.0

    def after(self, failures: int) -> float:
        """How long to wait after that many failures in a row [s]."""
        return float(min(self.most, self.first * 2.0 ** min(failures - 1, 16)))


class Source(Protocol[T_co]):
    """Where messages come from, without blocking: what is due now, and a way to wait for more."""

    def take(self) -> T_co | None:
        """The next message due; None where none is due now."""
        ...

    async def more(self) -> bool:
        """Wait until `take` may have one; False where there will never be another."""
        ...


Publish = Callable[[T], Coroutine[Any, Any, Delivery]]
Done = Callable[[T, Delivery], None]


@dataclass(slots=True)
class _Sent(Generic[T]):
    item: T
    task: asyncio.Task[Delivery]


@dataclass(slots=True)
class _Lane(Generic[T]):
    """The messages on their way, oldest first."""

    publish: Publish[T]
    done: Done[T]
    sent: deque[_Sent[T]] = field(default_factory=deque)

    def send(self, item: T) -> None:
        self.sent.append(_Sent(item, asyncio.ensure_future(self.publish(item))))

    async def first(self) -> bool:
        """Wait for the oldest; True where it is done with, False where nobody took it."""
        answer = await _answer(self.sent[0].task)
        if answer is None:
            return False
        self.done(self.sent.popleft().item, answer)
        return True

    async def rest(self) -> list[T]:
        """Wait for all that were sent after one that failed; returns what nobody took, in order."""
        left = []
        while self.sent:
            answer = await _answer(self.sent[0].task)
            item = self.sent.popleft().item
            if answer is None:
                left.append(item)
            else:
                self.done(item, answer)
        return left

    async def cancel(self) -> None:
        for sent in self.sent:
            sent.task.cancel()
        await asyncio.gather(*(sent.task for sent in self.sent), return_exceptions=True)


async def _answer(task: asyncio.Task[Delivery]) -> Delivery | None:
    """What became of it; None = not delivered, to be sent again. A refusal of ours (REFUSED) is final."""
    try:
        answer = await task
    except UnavailableError:
        return None
    return None if answer is Delivery.NO_SUBSCRIBERS else answer


async def deliver(source: Source[T], publish: Publish[T], done: Done[T], *, window: int = 1, backoff: Backoff | None = None) -> None:
    """Send all of `source`, at most `window` at once, in order; `done` hears of each one that was taken or refused.

    A message that nobody took (no subscribers, connection gone) and those after it that nobody took either are sent again,
    in order, after a back-off, for ever; cancelling stops it. `publish` is called anew at each attempt.
    """
    waits = backoff or Backoff()
    lane = _Lane(publish, done)
    failures = 0
    try:
        while True:
            while len(lane.sent) < window and (item := source.take()) is not None:
                lane.send(item)
            if not lane.sent:
                if not await source.more():
                    return
            elif await lane.first():
                failures = 0
            else:
                failures += 1
                left = await lane.rest()
                await asyncio.sleep(waits.after(failures))
                for item in left:
                    lane.send(item)
    finally:
        await lane.cancel()


async def connect(open_: Callable[[], Coroutine[Any, Any, None]], *, backoff: Backoff | None = None, wait_s: float | None = None) -> None:
    """Call `open_` until it succeeds; waits while the broker is away.

    Raises RefusedError where it will not have us, and UnavailableError where it is away for longer than `wait_s`.
    """
    waits = backoff or Backoff()
    failures, waited = 0, 0.0
    while True:
        try:
            return await open_()
        except UnavailableError:
            failures += 1
            if wait_s is not None and waited >= wait_s:
                raise
        pause = waits.after(failures) if wait_s is None else min(waits.after(failures), wait_s - waited)
        waited += pause
        await asyncio.sleep(pause)
