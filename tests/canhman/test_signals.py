"""Stop and reload, heard in every thread."""

from __future__ import annotations

import asyncio
import threading

from canhman.signals import Signals


def test_stop_wakes_whoever_waits_in_any_thread() -> None:
    """Two loops in two threads and one that comes too late all end."""
    signals = Signals()
    entered = threading.Barrier(3)
    woken: list[bool] = []

    async def wait() -> None:
        waiting = asyncio.ensure_future(signals.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(entered.wait, 10)
        woken.append(await waiting)

    threads = [threading.Thread(target=lambda: asyncio.run(wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    signals.stop()
    for thread in threads:
        thread.join(10)
    assert woken == [True, True]
    assert asyncio.run(signals.wait())
    assert signals.stopped


def test_a_wait_ends_after_its_seconds() -> None:
    """And says that nobody stopped."""
    assert not asyncio.run(Signals().wait(0.01))


def test_a_hangup_reaches_everybody() -> None:
    """Each service reads its configuration again."""
    signals = Signals()
    seen: list[int] = []
    signals.on_hangup(lambda: seen.append(1))
    signals.on_hangup(lambda: seen.append(2))
    signals.hangup()
    assert seen == [1, 2]
