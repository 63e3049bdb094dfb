"""When a batch is ripe, and which acknowledgements go out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt_inbox import MOST_BYTES, Inbox, token_of
from core.message import Message


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def message(serial: int, *, qos: int = 1) -> Message:
    return Message("t", b"", 0, qos=qos, token=token_of(serial, serial % 100 + 1) if qos else 0)


def test_a_stream_that_stands_still_at_a_likely_window_is_not_waited_for() -> None:
    """20 unacknowledged and silence: whatever the linger, they come; fewer wait for it."""

    async def test() -> None:
        inbox = Inbox(linger_s=1000.0, max_batch=5000)
        inbox.put([message(i) for i in range(19)], duplicates=0)
        waiting = asyncio.ensure_future(inbox.batch())
        await asyncio.wait({waiting}, timeout=0.02)
        assert not waiting.done()
        inbox.put([message(19)], duplicates=0)
        assert len(await waiting) == 20

    run(test())


def test_the_linger_begins_with_the_first() -> None:
    """What comes within it comes with it, and the next batch has a linger of its own."""

    async def test() -> None:
        inbox = Inbox(linger_s=0.02, max_batch=5000)
        for n in (1, 2):
            waiting = asyncio.ensure_future(inbox.batch())
            for i in range(n):
                inbox.put([message(i)], duplicates=0)
                await asyncio.sleep(0)
            assert len(await waiting) == n

    run(test())


def test_the_socket_rests_through_a_linger_and_what_came_meanwhile_is_of_the_batch() -> None:
    """After the first message nothing need be read; before the batch is taken the reader is woken, and finds the rest."""

    async def test() -> None:
        def wake() -> None:
            inbox.put([message(i) for i in range(1, 15)], duplicates=0)
            rested.append(inbox.rests)

        rested: list[bool] = []
        inbox = Inbox(linger_s=0.005, max_batch=5000, wake=wake)
        assert not inbox.rests
        inbox.put([message(0)], duplicates=0)
        assert inbox.rests
        assert len(await inbox.batch()) == 15
        assert rested == [False]
        assert not inbox.rests

    run(test())


def test_no_rest_where_a_window_may_be_filling() -> None:
    """Not with as many as a likely window, nor in the first moment after a batch so long; nor for who cannot be woken."""

    async def test() -> None:
        inbox = Inbox(linger_s=1000.0, max_batch=5000, wake=lambda: None)
        inbox.put([message(i) for i in range(19)], duplicates=0)
        assert inbox.rests
        inbox.put([message(19)], duplicates=0)
        assert not inbox.rests
        inbox.settle(await inbox.batch())
        inbox.put([message(20)], duplicates=0)
        assert not inbox.rests
        await asyncio.sleep(0.002)
        inbox.put([message(21)], duplicates=0)
        assert inbox.rests
        deaf = Inbox(linger_s=1000.0, max_batch=5000)
        deaf.put([message(0)], duplicates=0)
        assert not deaf.rests

    run(test())


def test_a_window_is_no_smaller_than_what_was_once_unacknowledged() -> None:
    """After 30 unacknowledged 29 wait for the linger, and 30 that stand still do not; another connection has a window of its own."""

    async def test() -> None:
        inbox = Inbox(linger_s=1000.0, max_batch=5000)

        async def waits(numbers: range) -> bool:
            inbox.put([message(i) for i in numbers], duplicates=0)
            waiting = asyncio.ensure_future(inbox.batch())
            await asyncio.wait({waiting}, timeout=0.02)
            if waiting.done():
                inbox.settle(waiting.result())
                return False
            waiting.cancel()
            return True

        assert not await waits(range(30))
        assert await waits(range(30, 59))
        assert not await waits(range(59, 60))
        inbox.lost()
        assert not await waits(range(60, 80))

    run(test())


def test_what_is_over_a_batch_is_ripe_at_once() -> None:
    """Its first message came long ago."""

    async def test() -> None:
        inbox = Inbox(linger_s=1000.0, max_batch=10)
        inbox.put([message(i) for i in range(25)], duplicates=3)
        assert not inbox.enough
        assert [len(await inbox.batch()) for _ in range(3)] == [10, 10, 5]
        assert (inbox.counters["received"], inbox.counters["duplicates"]) == (25, 3)
        inbox.put([message(i) for i in range(40)], duplicates=0)
        assert inbox.enough

    run(test())


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60), st.integers(0, 31), st.randoms())
def test_each_is_acknowledged_once_in_order_and_never_over_another_connection(asked: list[tuple[int, bool]], lost_after: int, rng: Any) -> None:
    """Whatever is asked for, in whatever order and however often."""

    async def test() -> None:
        inbox = Inbox(linger_s=0.0, max_batch=5000)
        messages = [message(i, qos=i % 3 and 1) for i in range(31)]
        inbox.put(messages[:lost_after], duplicates=0)
        inbox.lost()
        inbox.put(messages[lost_after:], duplicates=0)
        settled: list[int] = []
        batch: list[Message] = []
        for number, flush in asked:
            batch.append(messages[number])
            if flush:
                out = inbox.settle(batch)
                assert out == sorted(out)
                settled += out
                batch = []
        wanted = {number for number, _ in asked[: len(asked) - len(batch)] if number >= lost_after and number % 3}
        assert sorted(settled) == [number % 100 + 1 for number in sorted(wanted)]
        assert inbox.counters["acknowledged"] == len(settled)

    run(test())


def test_long_messages_are_enough_by_their_bytes() -> None:
    """Few but long ones stop the reading and are taken at once; when they are taken there is room again."""

    async def test() -> None:
        inbox = Inbox(linger_s=1000.0, max_batch=5000)
        long = Message("t", bytes(MOST_BYTES // 4), 0, qos=1)
        inbox.put([long._replace(token=token_of(i, i)) for i in range(1, 4)], duplicates=0)
        assert not inbox.enough
        inbox.put([long._replace(token=token_of(4, 4))], duplicates=0)
        assert inbox.enough
        assert len(await inbox.batch()) == 4
        assert not inbox.enough
        inbox.put([message(5)], duplicates=0)
        assert not inbox.enough

    run(test())


def test_what_is_no_message_is_acknowledged_in_its_place() -> None:
    """After all that came before it and before what came after; at once where nothing stands before it; never over another connection."""

    async def test() -> None:
        inbox = Inbox(linger_s=0.0, max_batch=5000)
        inbox.put([message(1), message(2)], duplicates=0)
        inbox.put_aside(token_of(3, 77))
        inbox.put([message(4)], duplicates=0)
        assert inbox.settle(()) == []
        assert inbox.settle([message(2)]) == [3]
        assert inbox.settle([message(4), message(1)]) == [2, 77, 5]
        inbox.put_aside(token_of(5, 78))
        assert inbox.settle(()) == [78]
        assert inbox.counters["acknowledged"] == 3
        inbox.put_aside(token_of(6, 79))
        inbox.lost()
        assert inbox.settle(()) == []

    run(test())


def test_how_much_is_settled_is_not_told_while_something_waits_for_it() -> None:
    """Whoever asks whether a broker has stopped must not count what waits here."""

    async def test() -> None:
        inbox = Inbox(linger_s=0.0, max_batch=5000)
        assert inbox.settled == 0
        inbox.put([message(1), message(2), message(3, qos=0)], duplicates=0)
        assert inbox.settled is None
        inbox.settle([message(1)])
        assert inbox.settled is None
        inbox.settle([message(2)])
        assert inbox.settled == 2

    run(test())
