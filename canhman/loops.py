"""What every service's loop does: outlive its own faults, end at a stop, and tell of trouble once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from canhman.signals import Signals

log = structlog.get_logger()


async def for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """A loop that ends only by a cancel: a fault of ours is logged and it begins again."""
    while True:
        try:
            await work()
        except Exception:  # a service outlives its own faults; the trace is in the log
            log.exception("a fault in a service loop; beginning again")
            await asyncio.sleep(1.0)


async def unless_stopped(work: Coroutine[Any, Any, None], signals: Signals) -> None:
    """Await `work`, cut short by a stop: a store may take a minute over its answer, and what was not done comes again."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(signals.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    for unfinished in (t for t in (task, stop) if not t.done()):
        unfinished.cancel()
    await asyncio.gather(task, stop, return_exceptions=True)
    if not task.cancelled():
        task.result()


def tell(part: str, trouble: str) -> None:
    """For `ingest.health.Health`: a line when a part gets into trouble or out of it."""
    if trouble:
        log.error(f"{part} is in trouble", why=trouble)
    else:
        log.info(f"{part} works again")
