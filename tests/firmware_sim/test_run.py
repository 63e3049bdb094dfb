"""Running simulated devices against a broker in memory: backlog, retries, order, rate, and what is kept until its PUBACK."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import ConfigError, RefusedError, UnavailableError
from core.place import FOREVER
from core.ports import Delivery
from firmware_sim import run
from firmware_sim.delivery import Backoff
from firmware_sim.network import expand, with_faults
from firmware_sim.network_file import default_text, load_network
from firmware_sim.probe import Fault
from firmware_sim.run import Counts, Fleet, run_devices
from firmware_sim.sampling import samples

NETWORK = load_network(default_text())
NOW = NETWORK.start_ms + 86_400_000
HOUR = 3_600_000
AT_ONCE = Backoff(first=0.0)


def objects(messages: list[tuple[str, bytes]]) -> dict[str, list[dict[str, Any]]]:
    """{device: objects in order of arrival}, from whole messages or arrays."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for topic, payload in messages:
        thing = json.loads(payload)
        found[topic.split("/")[2]] += thing if isinstance(thing, list) else [thing]
    return found


def expected(start: int, stop: int, network: Any = NETWORK) -> dict[str, list[int]]:
    return {d.id: [s.seq for s in samples(network, d, start, stop)] for d in network.devices}


def seqs(messages: list[tuple[str, bytes]]) -> dict[str, list[int]]:
    return {device: [o["seq"] for o in found] for device, found in objects(messages).items()}


def test_backlog_goes_in_arrays_of_at_most_a_day(broker: Any, leap_clock: Any) -> None:
    """Three days of history: every sample once and in order, arrays of up to 96 objects, one connection per device, all closed."""
    clock = leap_clock(NOW)
    counts = asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), clock, org="vithanh", backfill_days=3, stop_ms=NOW))
    assert seqs(broker.taken) == expected(NOW - 3 * 86_400_000, NOW)
    sizes = [len(json.loads(payload)) for _, payload in broker.taken]
    assert max(sizes) == 96
    assert len(sizes) == 3 * 12
    assert all(topic == f"canhman/vithanh/{topic.split('/')[2]}/telemetry" for topic, _ in broker.taken)
    assert broker.opened == broker.closed == 12
    assert counts == Counts(made=3 * 96 * 12, published=3 * 96 * 12, acknowledged=3 * 96 * 12)
    assert counts.waiting == 0


def test_history_first_then_live(broker: Any, leap_clock: Any) -> None:
    """The clock is set going when the history is with the broker, and the live samples follow it without gap or overlap."""
    seen: list[int] = []
    clock = leap_clock(NOW)
    ready = run_devices(
        NETWORK,
        lambda d: broker.publisher(),
        clock,
        backfill_days=0.25,
        on_backfilled=lambda: seen.append(len(objects(broker.taken)["ba-co"])),
        stop_ms=NOW + 3 * HOUR,
    )
    asyncio.run(ready)
    assert seen == [24]
    assert seqs(broker.taken) == expected(NOW - 6 * HOUR, NOW + 3 * HOUR)


def test_what_nobody_took_is_sent_again_in_order(broker: Any, leap_clock: Any) -> None:
    """No subscribers, and a connection that goes away, are not a delivery: each sample is taken once, in order, none counted before."""

    def sometimes(topic: str, payload: bytes, attempt: int) -> Delivery | Exception:
        if attempt % 3 == 1:
            return Delivery.NO_SUBSCRIBERS
        return UnavailableError("gone") if attempt % 5 == 1 else Delivery.ACKNOWLEDGED

    broker.answer = sometimes
    progress: list[tuple[int, int]] = []
    ready = run_devices(
        NETWORK,
        lambda d: broker.publisher(),
        leap_clock(NOW),
        stop_ms=NOW + 12 * HOUR,
        backoff=AT_ONCE,
        on_progress=lambda c: progress.append((c.acknowledged, sum(map(len, seqs(broker.taken).values())))),
    )
    counts = asyncio.run(ready)
    assert seqs(broker.taken) == expected(NOW, NOW + 12 * HOUR)
    assert counts.acknowledged == counts.made == 48 * 12 < counts.published
    assert all(claimed <= taken for claimed, taken in progress)


def test_clockless_devices_recount_the_age_at_each_attempt(broker: Any, leap_clock: Any) -> None:
    """A sample that waits gets older: under the same seq, each attempt tells a greater age_s."""
    clock = leap_clock(NOW)
    ages: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)

    def late(topic: str, payload: bytes, attempt: int) -> Delivery:
        for thing in objects([(topic, payload)])[topic.split("/")[2]]:
            if "age_s" in thing:
                ages[topic, thing["seq"]].append((thing["age_s"], clock.ms))
        clock.ms += 60_000
        return Delivery.NO_SUBSCRIBERS if attempt <= 60 else Delivery.ACKNOWLEDGED

    broker.answer = late
    asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), clock, stop_ms=NOW + HOUR, backoff=AT_ONCE))
    tried = [found for found in ages.values() if len(found) > 1]
    assert tried
    assert all(a[0] < b[0] for found in tried for a, b in pairwise(found))


def test_a_sample_is_kept_until_its_puback(broker: Any, leap_clock: Any) -> None:
    """While the broker does not answer, a device sends nothing else and forgets nothing; cancelled, the counts say what waits."""

    async def scenario() -> Counts:
        answers = asyncio.Event()

        class Slow(type(broker.publisher())):  # type: ignore[misc]  # the class is only known through the fixture
            async def publish(self, topic: str, payload: bytes) -> Delivery:
                self.broker.attempts.append((topic, payload))
                await answers.wait()
                return Delivery.ACKNOWLEDGED

        counts = Counts()
        one = expand(NETWORK, 1)
        fleet = Fleet(one, lambda d: Slow(broker), leap_clock(NOW), counts=counts)
        await fleet.open()
        running = asyncio.ensure_future(fleet.run(stop_ms=NOW + 6 * HOUR))
        while counts.made < 24:
            await asyncio.sleep(0)
        assert len(broker.attempts) == 1
        assert (counts.acknowledged, counts.waiting) == (0, 24)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await fleet.close()
        return counts

    assert asyncio.run(scenario()).waiting == 24


def test_a_full_memory_loses_the_oldest_and_says_so(broker: Any, leap_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device without a broker keeps its newest samples up to its bound; what it dropped is counted, never silent."""
    monkeypatch.setattr(run, "_MEMORY", 10)
    clock = leap_clock(NOW)
    broker.answer = lambda topic, payload, attempt: Delivery.NO_SUBSCRIBERS if clock.ms < NOW + 9 * HOUR else Delivery.ACKNOWLEDGED
    counts = asyncio.run(run_devices(expand(NETWORK, 1), lambda d: broker.publisher(), clock, stop_ms=NOW + 10 * HOUR, backoff=AT_ONCE))
    taken = seqs(broker.taken)["xeo-ro"]
    assert counts.dropped > 0 == counts.waiting
    assert counts.made == 40 == counts.dropped + len(taken)
    assert taken == sorted(set(taken))
    assert taken[-1] == expected(NOW, NOW + 10 * HOUR)["xeo-ro"][-1]


def test_a_refusal_is_final_and_counted(broker: Any, leap_clock: Any) -> None:
    """A device that may not publish does not try for ever, and does not hold up the others."""
    broker.answer = lambda topic, payload, attempt: Delivery.REFUSED if "/ba-co/" in topic else Delivery.ACKNOWLEDGED
    counts = asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), leap_clock(NOW), stop_ms=NOW + 2 * HOUR))
    assert (counts.refused, counts.acknowledged, counts.waiting) == (8, 88, 0)


def test_a_broker_that_is_away_is_waited_for(broker: Any, leap_clock: Any) -> None:
    """Connections are tried again; beyond `wait_s` it is an UnavailableError, and a refusal is raised at once."""
    broker.refuse_opens = 20
    asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), leap_clock(NOW), stop_ms=NOW + HOUR, backoff=AT_ONCE))
    assert len(seqs(broker.taken)) == 12
    broker.refuse_opens = 10_000
    with pytest.raises(UnavailableError):
        asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), leap_clock(NOW), stop_ms=NOW, backoff=Backoff(first=0.001), wait_s=0.002))

    class Locked(type(broker.publisher())):  # type: ignore[misc]  # the class is only known through the fixture
        async def open(self) -> None:
            raise RefusedError("wrong password")

    with pytest.raises(RefusedError, match="wrong password"):
        asyncio.run(run_devices(NETWORK, lambda d: Locked(broker), leap_clock(NOW), stop_ms=NOW))


def test_rate_is_over_all_devices_one_object_a_message(broker: Any) -> None:
    """400 a second for 0.3 s on the real clock: 120 messages of one object, evenly over the devices, each with a time of its own."""
    start = SystemClock().now_ms()
    network = expand(NETWORK, 40)
    counts = asyncio.run(run_devices(network, lambda d: broker.publisher(), SystemClock(), start_ms=start, stop_ms=start + 300, rate=400))
    found = objects(broker.taken)
    assert counts.acknowledged == 120
    assert all(not payload.startswith(b"[") for _, payload in broker.taken)
    assert {len(v) for v in found.values()} == {3}
    assert all(len({o["seq"] for o in v}) == 3 and {o["boot"] for o in v} == {start // 1000} for v in found.values())
    with pytest.raises(ConfigError, match="too much for 40 devices"):
        asyncio.run(run_devices(network, lambda d: broker.publisher(), SystemClock(), rate=50_000, stop_ms=start))


def test_a_silent_device_sends_nothing_while_it_is(broker: Any, leap_clock: Any) -> None:
    """The others go on, and it comes back with what it measures then."""
    network = with_faults(NETWORK, {"cai-tu": (Fault(kind="silent", start=NOW - HOUR, end=NOW + HOUR),)})
    asyncio.run(run_devices(network, lambda d: broker.publisher(), leap_clock(NOW), backfill_days=0.125, stop_ms=NOW + 2 * HOUR))
    assert len(objects(broker.taken)["cai-tu"]) == 8 + 4
    assert {len(v) for k, v in objects(broker.taken).items() if k != "cai-tu"} == {20}


def test_a_device_goes_on_where_it_was_acknowledged(broker: Any, leap_clock: Any) -> None:
    """Run, cut off, run again with what it remembers: every sample once, whichever part of them was history at the second start."""
    taken: dict[str, int] = {}
    asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), leap_clock(NOW), backfill_days=0.25, stop_ms=NOW + HOUR, taken=taken))
    assert set(taken) == {d.id for d in NETWORK.devices}
    behind, ahead = NETWORK.devices[0].id, NETWORK.devices[1].id
    del taken[behind]  # this one's memory was not saved
    taken[ahead] = NOW + 5 * HOUR  # this one's clock was saved too seldom
    asyncio.run(run_devices(NETWORK, lambda d: broker.publisher(), leap_clock(NOW + 3 * HOUR), backfill_days=1, stop_ms=NOW + 4 * HOUR, taken=taken))
    for device in NETWORK.devices:
        found = seqs(broker.taken)[device.id]
        if device.id == behind:
            assert sorted(set(found)) == [s.seq for s in samples(NETWORK, device, NOW - 21 * HOUR, NOW + 4 * HOUR)]
        else:
            stop = NOW + HOUR if device.id == ahead else NOW + 4 * HOUR
            assert found == [s.seq for s in samples(NETWORK, device, NOW - 6 * HOUR, stop)]


def test_a_device_silent_for_ever_has_no_more_samples(broker: Any, leap_clock: Any) -> None:
    """Its stream ends; the others go on."""
    silent = NETWORK.devices[0]
    network = with_faults(NETWORK, {silent.id: (Fault(kind="silent", start=NOW + HOUR, end=FOREVER),)})
    asyncio.run(run_devices(network, lambda d: broker.publisher(), leap_clock(NOW), stop_ms=NOW + 3 * HOUR))
    assert seqs(broker.taken) == expected(NOW, NOW + 3 * HOUR) | {silent.id: expected(NOW, NOW + HOUR)[silent.id]}
