"""A publisher at QoS 1 over a raw socket, in a thread: it knows what was published and what was acknowledged.

After a lost line it connects again and sends what was not acknowledged once more, the same bytes with the mark of a
duplicate: what every client library does.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence

from bench.load import packets

RETRY_S = 0.1
ANSWER_S = 5.0


class Sender:
    """Publishes `messages` in order, at most `window` unacknowledged, at most `rate` a second (None: as fast as it goes)."""

    def __init__(
        self,
        host: str,
        port: int,
        messages: Sequence[tuple[str, bytes]],
        *,
        client_id: str,
        user: str = "",
        password: str = "",
        window: int = 200,
        rate: float | None = None,
        repeat: int = 0,
    ) -> None:
        self._address = (host, port)
        self._connect = packets.connect(client_id, user=user, password=password)
        self._messages = messages
        self._window = window
        self._rate = rate
        self._repeat = repeat
        self._pending: dict[int, int] = {}  # packet id → index
        self._next_id = 0
        self._stop = threading.Event()
        self.published = 0  # of `messages`, so many from the first on
        self.acknowledged: set[int] = set()  # their indices
        self.connections = 0
        self._thread = threading.Thread(target=self._work, name=client_id, daemon=True)

    def start(self) -> Sender:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Publish nothing new; what is under way is still waited for."""
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait until everything published is acknowledged; whether it was in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Go away without waiting for acknowledgements."""
        self._window = 0
        self._stop.set()
        self._pending = {}
        self._thread.join(10)

    @property
    def alive(self) -> bool:
        """Whether there is still something to send or to wait for."""
        return self._thread.is_alive()

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        while not self._done():
            with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=ANSWER_S) as line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(line)
            if not self._done():
                time.sleep(RETRY_S)

    def _done(self) -> bool:
        return not self._pending and (self._stop.is_set() or self.published == len(self._messages))

    def _talk(self, line: socket.socket) -> None:
        stream = packets.Stream()
        line.sendall(self._connect)
        answer: list[tuple[int, bytes]] = []
        while not answer:
            data = line.recv(65_536)
            if not data:
                return
            answer += stream.feed(data)
        if answer[0][0] >> 4 != packets.CONNACK or answer[0][1][1]:
            raise ConnectionError(f"refused: {answer[0]!r}")
        self.connections += 1
        self._take(answer[1:])
        out = b"".join(packets.publish(*self._messages[index], packet_id, duplicate=True) for packet_id, index in list(self._pending.items()))
        line.setblocking(False)
        began, base = time.monotonic(), self.published
        blocked = False
        with selectors.DefaultSelector() as ready:
            ready.register(line, selectors.EVENT_READ)
            while not self._done():
                out = out or self._more(began, base)
                if out and not blocked:
                    try:
                        out = out[line.send(out) :]
                    except BlockingIOError:
                        blocked = True
                        ready.modify(line, selectors.EVENT_READ | selectors.EVENT_WRITE)
                for _, events in ready.select(0 if out and not blocked else 0.005):
                    if events & selectors.EVENT_WRITE:
                        blocked = False
                        ready.modify(line, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        data = line.recv(262_144)
                        if not data:
                            return
                        self._take(stream.feed(data))
            with contextlib.suppress(OSError):
                line.send(b"\xe0\0")

    def _take(self, found: Iterable[tuple[int, bytes]]) -> None:
        for first, body in found:
            if first >> 4 == packets.PUBACK:
                index = self._pending.pop(struct.unpack_from(">H", body)[0], None)
                if index is not None:
                    self.acknowledged.add(index)

    def _more(self, began: float, base: int) -> bytes:
        """The next packets, as many as window and rate allow."""
        room = self._window - len(self._pending)
        if self._rate is not None:
            room = min(room, base + int((time.monotonic() - began) * self._rate) - self.published)
        if self._stop.is_set() or room <= 0:
            return b""
        out = []
        for _ in range(min(room, 500)):
            if self.published == len(self._messages):
                break
            out.append(self._one(self.published))
            self.published += 1
        return b"".join(out)

    def _one(self, index: int) -> bytes:
        first = packets.publish(*self._messages[index], self._id(index))
        return first + b"".join(packets.publish(*self._messages[index], self._id(index), duplicate=True) for _ in range(self._repeat))

    def _id(self, index: int) -> int:
        while True:
            self._next_id = self._next_id % 65_535 + 1
            if self._next_id not in self._pending:
                self._pending[self._next_id] = index
                return self._next_id
