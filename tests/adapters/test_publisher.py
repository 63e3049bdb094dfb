"""What every publisher must do, run against each: an answer for every call, in order, over cut lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from servers.message_rigs import RIGS, Rig, RigFactory

from core.errors import UnavailableError
from core.ports import Delivery, MessageSource, Publisher

TOPIC = "canhman/o/a/telemetry"


async def take_all(source: MessageSource, into: list[bytes]) -> None:
    """Acknowledge whatever comes."""
    while True:
        batch = await source.batch()
        source.acknowledge(batch)
        into += [m.payload for m in batch]


@contextlib.asynccontextmanager
async def opened(factory: RigFactory, folder: Path) -> AsyncIterator[tuple[Rig, Publisher, list[bytes]]]:
    """A rig whose source takes everything, an open publisher, and what was taken."""
    async with asyncio.timeout(60), factory(folder) as rig:
        taken: list[bytes] = []
        await rig.source.open()
        taking = asyncio.create_task(take_all(rig.source, taken))
        publisher = rig.publisher("a")
        await publisher.open()
        try:
            yield rig, publisher, taken
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await publisher.close()
            await rig.source.close()


Scene = Callable[[Rig, Publisher, list[bytes]], Awaitable[None]]
Play = Callable[[Scene], None]


@pytest.fixture(params=RIGS)
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene on one rig."""

    async def stage(scene: Scene) -> None:
        async with opened(request.param, tmp_path) as (rig, publisher, taken):
            await scene(rig, publisher, taken)

    return lambda scene: asyncio.run(stage(scene))


class TestPublisherConformance:
    """The port's rules, one test each."""

    def test_calls_are_sent_in_their_order_and_all_answered(self, play: Play) -> None:
        """1,000 calls at once: each acknowledged, and taken in the order of the calls."""

        async def scene(rig: Rig, publisher: Publisher, taken: list[bytes]) -> None:
            names = [str(i).encode() for i in range(1000)]
            assert set(await asyncio.gather(*(publisher.publish(TOPIC, n) for n in names))) == {Delivery.ACKNOWLEDGED}
            while len(taken) < 1000:
                await asyncio.sleep(0.001)  # a broker acknowledges before its subscriber has it
            assert taken == names

        play(scene)

    def test_a_refused_publish_is_answered_and_harms_no_other(self, play: Play) -> None:
        """A topic of another device is REFUSED; those before and after it are acknowledged."""

        async def scene(rig: Rig, publisher: Publisher, taken: list[bytes]) -> None:
            topics = [TOPIC, "canhman/o/b/telemetry", TOPIC]
            answers = await asyncio.gather(*(publisher.publish(t, b"x") for t in topics))
            assert answers == [Delivery.ACKNOWLEDGED, Delivery.REFUSED, Delivery.ACKNOWLEDGED]

        play(scene)

    def test_a_cut_line_loses_no_call(self, play: Play) -> None:
        """The line cut again and again amid 600 publishes: every call is answered, and each message taken at least once."""

        async def scene(rig: Rig, publisher: Publisher, taken: list[bytes]) -> None:
            names = [str(i).encode() for i in range(600)]
            calls = [asyncio.create_task(publisher.publish(TOPIC, n)) for n in names]
            for i in (50, 300):
                await calls[i]
                await rig.cut()
            assert set(await asyncio.gather(*calls)) == {Delivery.ACKNOWLEDGED}
            while set(taken) != set(names):
                await asyncio.sleep(0.001)
            first_seen = list(dict.fromkeys(taken))
            assert first_seen == names

        play(scene)

    def test_a_publisher_that_is_not_open_says_so(self, play: Play) -> None:
        """Before `open` and after `close`: UnavailableError; a topic with wildcards: ValueError, and it goes on."""

        async def scene(rig: Rig, publisher: Publisher, taken: list[bytes]) -> None:
            other = rig.publisher("b")
            with pytest.raises(UnavailableError):
                await other.publish(TOPIC, b"x")
            for topic in ("", "canhman/+/a/telemetry", "canhman/#"):
                with pytest.raises(ValueError, match="topic"):
                    await publisher.publish(topic, b"x")
            assert await publisher.publish(TOPIC, b"x") is Delivery.ACKNOWLEDGED
            await publisher.close()
            with pytest.raises(UnavailableError):
                await publisher.publish(TOPIC, b"x")

        play(scene)


@pytest.mark.parametrize("factory", RIGS)
def test_without_any_subscription_nobody_gets_it(factory: RigFactory, tmp_path: Path) -> None:
    """A broker that knows no subscription yet says NO_SUBSCRIBERS; from the source's first opening on it keeps everything."""

    async def scene() -> None:
        async with asyncio.timeout(60), factory(tmp_path) as rig:
            if not rig.broker:
                return  # a listener that is not open takes no connection at all
            publisher = rig.publisher("a")
            await publisher.open()
            assert await publisher.publish(TOPIC, b"early") is Delivery.NO_SUBSCRIBERS
            await rig.source.open()
            await rig.source.close()
            assert await publisher.publish(TOPIC, b"kept") is Delivery.ACKNOWLEDGED
            await rig.source.open()
            assert [m.payload for m in await rig.source.batch()] == [b"kept"]
            await rig.source.close()
            await publisher.close()

    asyncio.run(scene())
