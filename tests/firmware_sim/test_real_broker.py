"""Simulated devices and a replay through a real Mosquitto and the real client."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from servers.mosquitto import Mosquitto

from adapters.mqtt import PahoSource
from adapters.mqtt_publisher import PahoPublisher
from core.clock import SimClock
from firmware_sim.delivery import Backoff
from firmware_sim.network_file import default_text, load_network
from firmware_sim.replay import ReplayReport, read_csv, replay
from firmware_sim.run import Counts, run_devices

pytestmark = pytest.mark.servers

NETWORK = load_network(default_text())
SOON = Backoff(first=0.05, most=0.1)


async def objects(source: PahoSource, count: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """[(topic, objects of one message)] until `count` objects came, within 30 s."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    async with asyncio.timeout(30):
        while sum(len(things) for _, things in found) < count:
            messages = await source.batch()
            source.acknowledge(messages)
            for message in messages:
                thing = json.loads(message.payload)
                found.append((message.topic, thing if isinstance(thing, list) else [thing]))
    await source.close()
    return found


def test_a_replay_waits_until_somebody_listens(tmp_path: Path) -> None:
    """Rows published to nobody are not done; when a subscriber comes, each arrives, in order, and the report says so."""
    path = tmp_path / "a.csv"
    path.write_text("station,time_local,salinity_g_L\n" + "".join(f"goquao,2020-03-{d:02d} 01:00:00,{d}.5\n" for d in range(1, 31)))

    async def scenario(broker: Mosquitto) -> tuple[ReplayReport, list[tuple[str, list[dict[str, Any]]]]]:
        report = ReplayReport()
        publisher = PahoPublisher("127.0.0.1", broker.port, client_id="replay")
        running = asyncio.ensure_future(replay(read_csv(path), lambda d: publisher, SimClock(0), window=10, backoff=SOON, report=report))
        while report.published < 20:  # sent at least twice, and nobody was there
            await asyncio.sleep(0.01)
        assert report.acknowledged == 0
        source = PahoSource("127.0.0.1", broker.port, client_id="ingest")
        await source.open()
        _, received = await asyncio.gather(running, objects(source, 30))
        return report, received

    with Mosquitto(tmp_path / "broker") as broker:
        report, received = asyncio.run(scenario(broker))
    assert (report.rows, report.acknowledged, report.waiting) == (30, 30, 0)
    assert [thing["readings"] for _, (thing,) in received] == [{"water.salinity": d + 0.5} for d in range(1, 31)]
    assert {t for t, _ in received} == {"canhman/default/goquao/telemetry"}


def test_a_network_sends_its_history_over_its_own_connections(tmp_path: Path) -> None:
    """Twelve connections, two days in arrays of 96, then the live samples of a clock at 10,000 times: all arrive, each device in order."""
    day = 86_400_000
    stop = NETWORK.start_ms + day // 8

    async def scenario(broker: Mosquitto) -> tuple[Counts, list[tuple[str, list[dict[str, Any]]]]]:
        clock = SimClock(NETWORK.start_ms, 0.0)
        source = PahoSource("127.0.0.1", broker.port, client_id="ingest")
        await source.open()
        running = run_devices(
            NETWORK,
            lambda d: PahoPublisher("127.0.0.1", broker.port, client_id=d.id, username=d.id),
            clock,
            backfill_days=2,
            on_backfilled=lambda: clock.set(speed=10_000.0),
            stop_ms=stop,
            backoff=SOON,
        )
        counts, received = await asyncio.gather(running, objects(source, 12 * (192 + 12)))
        return counts, received

    with Mosquitto(tmp_path / "broker") as broker:
        counts, received = asyncio.run(scenario(broker))
    seqs: dict[str, list[int]] = defaultdict(list)
    for topic, things in received:
        seqs[topic] += [thing["seq"] for thing in things]
    assert counts.acknowledged == counts.made == 12 * (192 + 12)
    assert max(len(things) for _, things in received) == 96
    assert len(seqs) == 12
    assert all(found == list(range(found[0], found[0] + 204)) for found in seqs.values())
