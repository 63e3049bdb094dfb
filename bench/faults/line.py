"""A line between a client and a server that can be cut, slowed and read along: a TCP proxy in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from servers.ports import free_port

from bench.load.packets import PUBLISH, Stream

CHUNK = 65_536
_SEQ = re.compile(rb'"seq": ?(\d+)')


class PacketLog:
    """What a broker handed over: (device, seq) of every PUBLISH that went by on its way to the client."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()
        self.publishes = 0

    def reader(self) -> Callable[[bytes], None]:
        """A reader for one connection."""
        stream = Stream()

        def read(data: bytes) -> None:
            for first, body in stream.feed(data):
                if first >> 4 != PUBLISH:
                    continue
                self.publishes += 1
                (size,) = struct.unpack_from(">H", body)
                words = body[2 : 2 + size].split(b"/")
                if len(words) == 4:
                    self.seen |= {(words[2].decode(), int(number)) for number in _SEQ.findall(body[2 + size :])}

        return read


class Line:
    """Forwards every connection to 127.0.0.1:`target`. A context manager; its methods may be called from any thread."""

    def __init__(self, target: int, *, log: PacketLog | None = None) -> None:
        self.port = free_port()
        self.rate: float | None = None  # bytes a second each way
        self.is_down = False
        self._target = target
        self._log = log
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)

    def __enter__(self) -> Line:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        self.cut()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection both ways; bytes on their way are lost."""

        async def cut() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._run(cut())

    def down(self) -> None:
        """Cut it, and let nobody through until `up`."""
        self.is_down = True
        self.cut()

    def up(self) -> None:
        """Let connections through again."""
        self.is_down = False

    # ------------------------------------------------------------ in its thread

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        read = self._log.reader() if self._log else None
        try:
            await asyncio.gather(self._pump(reader, far_writer, None), self._pump(far_reader, writer, read))
        except asyncio.CancelledError:
            writer.transport.abort()
            far_writer.transport.abort()
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, read: Callable[[bytes], None] | None) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK if self.rate is None else max(1, int(self.rate / 20))):
                writer.write(data)
                await writer.drain()
                if read:
                    read(data)
                if self.rate is not None:
                    await asyncio.sleep(len(data) / self.rate)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()
