"""What reading a message from a broker costs: `python bench/mqtt_source.py [MESSAGES] [own own:500 paho …]`.

For each client in turn a fresh Mosquitto (with the limits `canhman broker init` writes) is filled with messages of 200
bytes from 50 devices; then the client drains them, acknowledging each batch. CPU µs a message of this process, seconds, and
the broker's CPU beside it. `own:500` is our own client with a receive maximum of 500.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.mosquitto import Mosquitto

from adapters.mqtt import PahoSource
from adapters.mqtt_codec import Connect, Publish, encode
from adapters.mqtt_own import OwnSource

MESSAGES = 200_000
DEVICES = 50
BURST = 500
PAYLOAD = b'{"seq":%010d,"time":"2026-02-11T05:00:00Z","readings":{"water.ec":12.345,"water.temperature":28.75,"device.battery":3.91}}'
CONFIG = "max_queued_messages 1000000000\nmax_queued_bytes 2147483648\nmax_inflight_messages 1000"


def source_of(name: str, port: int) -> PahoSource | OwnSource:
    """`paho`, `own` or `own:RECEIVE_MAXIMUM`."""
    client, _, maximum = name.partition(":")
    if client == "paho":
        return PahoSource("127.0.0.1", port, client_id="ingest")
    return OwnSource("127.0.0.1", port, client_id="ingest", **({"receive_maximum": int(maximum)} if maximum else {}))


async def fill(port: int, count: int) -> None:
    """Publish at QoS 1, BURST at a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encode(Connect(client_id="filler", clean_start=True)))
    await reader.readexactly((await reader.readexactly(2))[1])
    for begun in range(0, count, BURST):
        burst = [
            encode(Publish(f"canhman/default/d{number % DEVICES:05d}/telemetry", (PAYLOAD % number).ljust(200), 1, number % BURST + 1))
            for number in range(begun, min(begun + BURST, count))
        ]
        writer.write(b"".join(burst))
        await reader.readexactly(4 * len(burst))  # a PUBACK each, without a reason
    writer.close()
    await writer.wait_closed()


def broker_cpu(port: int) -> float:
    """CPU seconds so far of the process that was started with our port's configuration file."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and b"mosquitto" in (entry / "cmdline").read_bytes() and int((entry / "stat").read_text().split()[3]) == os.getpid():
                ticks = (entry / "stat").read_text().rpartition(")")[2].split()
                return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):
            continue
    return 0.0


async def drain(name: str, port: int, count: int) -> str:
    """One client's line."""
    first = source_of(name, port)
    await first.open()
    await first.close()
    await fill(port, count)
    source = source_of(name, port)
    got = batches = 0
    gc.collect()
    cpu, wall, broker = time.process_time(), time.perf_counter(), broker_cpu(port)
    await source.open()
    while got < count:
        batch = await source.batch()
        source.acknowledge(batch)
        got += len(batch)
        batches += 1
    cpu, wall, broker = time.process_time() - cpu, time.perf_counter() - wall, broker_cpu(port) - broker
    await source.close()
    return f"{name:9} {cpu / got * 1e6:6.2f} µs a message, {got / wall:8,.0f}/s, {got / batches:6.0f} a batch, broker {broker / got * 1e6:5.2f} µs"


def main() -> None:
    """One line a client."""
    words = sys.argv[1:]
    count = int(words.pop(0)) if words and words[0].isdecimal() else MESSAGES
    for name in words or ("own", "paho"):
        with tempfile.TemporaryDirectory(prefix="canhman-") as folder, Mosquitto(Path(folder), config=CONFIG) as server:
            print(asyncio.run(drain(name, server.port, count)), flush=True)


if __name__ == "__main__":
    main()
