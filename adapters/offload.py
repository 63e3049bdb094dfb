"""Adapters whose calls block, behind a thread: an event loop that serves many stays free while one of them waits.

The methods of such an adapter are async for its port's sake and never await anything that waits; each runs whole, in a
worker thread. One with a single connection gets one worker, so that its calls take turns; one that says `any_thread` gets
several.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from adapters.threads import name_this_thread

WORKERS = 4

T = TypeVar("T")


def offload(adapter: T) -> T:
    """The same adapter, for a loop that must not wait: each async method runs in a worker thread, the rest as it is.

    A cancelled call that has begun is finished all the same, unheard. Give one adapter to one `offload` only: two would
    not take turns.
    """
    return cast("T", _Offloaded(adapter))


class _Offloaded:
    def __init__(self, adapter: object) -> None:
        self._adapter = adapter
        many = getattr(adapter, "any_thread", False)
        name = type(adapter).__name__
        self._workers = ThreadPoolExecutor(WORKERS if many else 1, thread_name_prefix=name, initializer=name_this_thread, initargs=(name,))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(found):
            return found

        @functools.wraps(found)
        async def call(*args: Any, **named: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(self._workers, _run, lambda: found(*args, **named))

        self.__dict__[name] = call  # the next time it is found at once
        return call


def _run(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer of a call that blocks and never awaits."""
    coroutine = call()
    try:
        coroutine.send(None)
    except StopIteration as answer:
        return cast("T", answer.value)
    coroutine.close()
    raise RuntimeError(f"{getattr(coroutine, '__qualname__', call)} waits for its event loop: it must not be offloaded")
