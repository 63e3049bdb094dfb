"""Adapters whose calls block, behind a thread: an event loop that serves many stays free while one of them waits.

The methods of such an adapter are async for its port's sake and never await anything that waits; each runs whole, in a
worker thread. One with a single connection gets one worker, so that its calls take turns; one that says `any_thread` gets
several. To go there and back costs a tenth of a millisecond and more.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from adapters.threads import name_this_thread

WORKERS = 4

T = TypeVar("T")


def offload(adapter: T, *, brief: Mapping[str, int] | None = None) -> T:
    """The same adapter, for a loop that must not wait: each async method runs in a worker thread, the rest as it is.

    A cancelled call that has begun is finished all the same, unheard. Give one adapter to one `offload` only: two would
    not take turns. `brief`: methods that wait where they are called, for a loop that has nothing else to do then, where their first
    argument is shorter than that.
    """
    return cast("T", _Offloaded(adapter, brief or {}))


class _Offloaded:
    def __init__(self, adapter: object, brief: Mapping[str, int]) -> None:
        self._adapter = adapter
        self._brief = brief
        self._turn = threading.Lock()  # of the calls of one that has methods in `brief`
        many = getattr(adapter, "any_thread", False)
        name = type(adapter).__name__
        self._workers = ThreadPoolExecutor(WORKERS if many else 1, thread_name_prefix=name, initializer=name_this_thread, initargs=(name,))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(found):
            return found

        shorter = self._brief.get(name, 0)

        @functools.wraps(found)
        async def call(*args: Any, **named: Any) -> Any:
            if shorter and args and len(args[0]) < shorter:
                return self._in_turn(lambda: found(*args, **named))
            run = self._in_turn if self._brief else _run
            return await asyncio.get_running_loop().run_in_executor(self._workers, run, lambda: found(*args, **named))

        self.__dict__[name] = call  # the next time it is found at once
        return call

    def _in_turn(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with self._turn:
            return _run(call)


def _run(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer of a call that blocks and never awaits."""
    coroutine = call()
    try:
        coroutine.send(None)
    except StopIteration as answer:
        return cast("T", answer.value)
    coroutine.close()
    raise RuntimeError(f"{getattr(coroutine, '__qualname__', call)} waits for its event loop: it must not be offloaded")
