"""What every message source must do, run against each: no acknowledgement unasked, nothing lost, order kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from servers.message_rigs import RIGS, Rig, RigFactory

from core.message import Message
from core.ports import Delivery, Publisher


class Scene:
    """An open rig with helpers; publishes are left waiting, as a listener answers them only once they are stored."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.source = rig.source
        self.calls: list[asyncio.Task[Delivery]] = []

    def publish(self, publisher: Publisher, *payloads: str, device: str = "a") -> list[asyncio.Task[Delivery]]:
        """Publish these, in this order, without waiting."""
        calls = [asyncio.create_task(publisher.publish(f"canhman/o/{device}/telemetry", p.encode())) for p in payloads]
        self.calls += calls
        return calls

    async def receive(self, n: int) -> list[Message]:
        """The next `n` messages (or some more), unacknowledged."""
        got: list[Message] = []
        while len(got) < n:
            got += await self.source.batch()
        return got

    async def reopen(self) -> None:
        """Close the source cleanly (what it acknowledged counts) and open it again."""
        await self.source.close()
        await self.source.open()


@contextlib.asynccontextmanager
async def opened(factory: RigFactory, folder: Path) -> AsyncIterator[tuple[Scene, Publisher]]:
    async with asyncio.timeout(60), factory(folder) as rig:
        scene = Scene(rig)
        await rig.source.open()
        publisher = rig.publisher("a")
        await publisher.open()
        try:
            yield scene, publisher
        finally:
            await publisher.close()
            await rig.source.close()
            await asyncio.gather(*scene.calls, return_exceptions=True)


Play = Callable[[Callable[[Scene, Publisher], Awaitable[None]]], None]


@pytest.fixture(params=RIGS)
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene on one rig."""

    async def stage(scene: Callable[[Scene, Publisher], Awaitable[None]]) -> None:
        async with opened(request.param, tmp_path) as (s, publisher):
            await scene(s, publisher)

    return lambda scene: asyncio.run(stage(scene))


def payloads(messages: list[Message]) -> list[str]:
    return [m.payload.decode() for m in messages]


class TestMessageSourceConformance:
    """The port's rules, one test each."""

    def test_a_message_arrives_as_it_was_sent(self, play: Play) -> None:
        """Topic and bytes are the sender's; QoS 1; neither retained, nor a duplicate, nor refused."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            s.publish(publisher, "{}", "", "ơ")
            got = await s.receive(3)
            assert payloads(got) == ["{}", "", "ơ"]
            assert {(m.topic, m.qos, m.retain, m.dup, m.refused) for m in got} == {("canhman/o/a/telemetry", 1, False, False, False)}
            assert all(abs(m.received - got[0].received) < 60_000 for m in got)

        play(scene)

    def test_unacknowledged_comes_again_flagged_and_in_order(self, play: Play) -> None:
        """Without `acknowledge` everything comes again after the line was cut: dup set, the same order; and once more."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            names = [str(i) for i in range(50)]
            s.publish(publisher, *names)
            assert payloads(await s.receive(50)) == names
            for _ in range(2):
                await s.rig.cut()
                again = await s.receive(50)
                assert payloads(again) == names
                assert all(m.dup for m in again)

        play(scene)

    def test_acknowledged_never_comes_again(self, play: Play) -> None:
        """Only what was not acknowledged is there after the next opening, before anything new."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            s.publish(publisher, "0", "1", "2", "3", "4")
            s.source.acknowledge((await s.receive(5))[:3])
            await s.reopen()
            rest = await s.receive(2)
            assert [(m.payload, m.dup) for m in rest] == [(b"3", True), (b"4", True)]
            s.source.acknowledge(rest)
            await s.reopen()
            s.publish(publisher, "new")
            assert payloads(await s.receive(1)) == ["new"]

        play(scene)

    def test_acknowledgement_reaches_the_sender_only_when_asked(self, play: Play) -> None:
        """Where nothing stands between, a publish is answered by `acknowledge` and not before."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            calls = s.publish(publisher, "0", "1")
            got = await s.receive(2)
            if not s.rig.broker:
                assert not any(c.done() for c in calls)
            s.source.acknowledge(got[:1])
            assert await calls[0] is Delivery.ACKNOWLEDGED
            if not s.rig.broker:
                assert not calls[1].done()
            s.source.acknowledge(got[1:])
            assert await calls[1] is Delivery.ACKNOWLEDGED

        play(scene)

    def test_acknowledgements_of_an_old_connection_touch_nothing(self, play: Play) -> None:
        """Acknowledging the first copies after their connection is gone acknowledges nothing of the second."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            s.publish(publisher, "0", "1", "2")
            first = await s.receive(3)
            await s.rig.cut()
            assert payloads(await s.receive(3)) == ["0", "1", "2"]
            s.source.acknowledge(first)
            await s.reopen()
            assert payloads(await s.receive(3)) == ["0", "1", "2"]

        play(scene)

    def test_acknowledging_twice_or_nothing_is_harmless(self, play: Play) -> None:
        """A second acknowledgement of the same messages, and one of none, change nothing for those that follow."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            s.publish(publisher, "0", "1")
            got = await s.receive(2)
            s.source.acknowledge([])
            s.source.acknowledge(got)
            s.publish(publisher, "2", "3")
            later = await s.receive(2)
            s.source.acknowledge(got)
            await s.reopen()
            again = await s.receive(2)
            assert payloads(later) == payloads(again) == ["2", "3"]

        play(scene)

    def test_order_of_arrival_is_kept_over_batches(self, play: Play) -> None:
        """Each sender's messages come in the order of its publishes, whatever the batches."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            other = s.rig.publisher("b")
            await other.open()
            names = [str(i) for i in range(400)]
            s.publish(publisher, *names)
            s.publish(other, *names, device="b")
            got: list[Message] = []
            while len(got) < 800:
                batch = await s.source.batch()
                s.source.acknowledge(batch)
                got += batch
            for device in ("a", "b"):
                assert payloads([m for m in got if m.topic == f"canhman/o/{device}/telemetry"]) == names
            await asyncio.gather(*s.calls)
            await other.close()

        play(scene)

    def test_cancelling_batch_loses_nothing(self, play: Play) -> None:
        """`batch` cancelled while it waits, lingers or is about to return: the next one has everything, in order."""

        async def scene(s: Scene, publisher: Publisher) -> None:
            got: list[Message] = []
            for i in range(60):
                waiting = asyncio.create_task(s.source.batch())
                s.publish(publisher, str(i))
                for _ in range(i):  # another moment each time
                    await asyncio.sleep(0)
                if i % 3 == 0:
                    await asyncio.sleep(0.001)  # into the linger
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    batch = await waiting
                    s.source.acknowledge(batch)
                    got += batch
            while len(got) < 60:
                batch = await s.source.batch()
                s.source.acknowledge(batch)
                got += batch
            assert payloads(got) == [str(i) for i in range(60)]

        play(scene)
