"""The least a subscriber can do: take every message and acknowledge it. `python -m bench.load.subscriber PORT CLIENT USER PASSWORD COUNT`.

It says `subscribed`, and after COUNT messages {"first", "last"} of the monotonic clock: what a broker alone passes on.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

from bench.load import packets


def main() -> None:
    """Until all have come."""
    port, client, user, password, count = sys.argv[1:6]
    line = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(packets.connect(client, user=user, password=password) + packets.subscribe(1, "canhman/+/+/telemetry"))
    line.settimeout(60)
    stream = packets.Stream()
    wanted, got, first, last = int(count), 0, 0.0, 0.0
    said = False
    while got < wanted:
        data = line.recv(262_144)
        if not data:
            raise ConnectionError("the broker closed the line")
        acks = []
        for head, body in stream.feed(data):
            kind = head >> 4
            if kind == packets.PUBLISH:
                (size,) = struct.unpack_from(">H", body)
                acks.append(b"\x40\x02" + body[2 + size : 4 + size])
            elif kind == packets.SUBACK and not said:
                said = True
                print("subscribed", flush=True)
        if acks:
            last = time.monotonic()
            first = first or last
            got += len(acks)
            line.sendall(b"".join(acks))
    print(json.dumps({"first": first, "last": last, "count": got}), flush=True)
    line.close()


if __name__ == "__main__":
    main()
