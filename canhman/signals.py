"""Stop and reload, as services see them: one per process, heard in every thread's loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable

Hangup = Callable[[], None]


class Signals:
    """Asked to stop once, and to read the configuration again any number of times. Services wait on it in loops of their own."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._hangups: list[Hangup] = []

    @property
    def stopped(self) -> bool:
        """Whether the process is to end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """From any thread: services end what they do and return."""
        self._stopped.set()
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            with contextlib.suppress(RuntimeError):  # a loop that has ended already
                loop.call_soon_threadsafe(event.set)

    async def wait(self, seconds: float | None = None) -> bool:
        """Until `stop`, at most so many seconds; whether it was called."""
        event = asyncio.Event()
        mine = (asyncio.get_running_loop(), event)
        with self._lock:
            if self._stopped.is_set():
                return True
            self._waiting.append(mine)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._waiting.remove(mine)
        return self._stopped.is_set()

    def on_hangup(self, work: Hangup) -> None:
        """Call `work` (quick, and it raises nothing) at each SIGHUP, in the main thread."""
        self._hangups.append(work)

    def hangup(self) -> None:
        """Have every service read its configuration again."""
        for work in list(self._hangups):
            work()

    def listen(self) -> None:
        """In the main thread's running loop: SIGTERM and SIGINT stop, SIGHUP reads again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.hangup)
