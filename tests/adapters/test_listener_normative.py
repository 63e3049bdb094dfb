"""The statements of the MQTT standards docs/mqtt.md claims, each played on bytes: what goes in, what comes out, what is closed."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from servers.listener_bench import Wire, made

from adapters.listener import Listener
from adapters.listener_connection import Connection
from core.message import Message
from deploy import mqtt
from deploy.mqtt.steps import NAMES, V5, Claim, Play, Step

CLAIMS = [(version, number, claim) for claim in mqtt.CLAIMS for version, number in claim.numbers()]


class Player:
    """A listener on wires of the test's own, in a loop whose time the test moves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.listener: Listener = made(max_batch=10_000)
        self.ends: dict[int, tuple[Connection, Wire]] = {}
        self.ahead = 0.0
        self.waiting: deque[Message] = deque()  # came, and is not acknowledged
        self.new: list[Message] = []
        real = loop.time
        loop.time = lambda: real() + self.ahead  # type: ignore[method-assign]  # the only way to let time pass without waiting

    def end(self, who: int) -> tuple[Connection, Wire]:
        if who not in self.ends:
            connection, wire = Connection(self.listener._shared, len(self.ends) + 1), Wire()
            connection.connection_made(wire)
            self.ends[who] = connection, wire
        return self.ends[who]

    async def settle(self) -> None:
        """Timers that are due fire, and what came to ingest is taken."""
        for _ in range(3):
            await asyncio.sleep(0)
        if self.listener._shared.inbox._queue:
            came = await self.listener.batch()
            self.waiting += came
            self.new += came

    async def take(self, step: Step) -> None:
        connection, wire = self.end(step.who)
        match step.do:
            case "send":
                connection.data_received(step.data)
            case "get":
                assert wire.sent[: len(step.data)].hex(" ") == step.data.hex(" ")
                assert not wire.closed
                wire.sent = wire.sent[len(step.data) :]
            case "assigned":  # a CONNACK with a client id of ours
                size = wire.sent[1] + 2
                assert wire.sent[:1] == b"\x20"
                assert b"\x12\0\x18canhman-" in wire.sent[:size]
                wire.sent = wire.sent[size:]
            case "closed":
                assert wire.sent.hex(" ") == step.data.hex(" ")
                assert wire.closed
                wire.sent = b""
                connection.connection_lost(None)
            case "lose":
                assert not wire.sent
                wire.closed = True
                connection.connection_lost(ConnectionResetError())
            case "acknowledge":
                await self.settle()
                self.listener.acknowledge(list(self.waiting))
                self.waiting.clear()
            case "taken":
                await self.settle()
                assert [(m.topic, m.payload) for m in self.new] == list(step.wanted)
                self.new.clear()
            case "wait":
                self.ahead += step.seconds
        await self.settle()


async def perform(play: Play) -> None:
    player = Player(asyncio.get_running_loop())
    for step in play:
        await player.take(step)
    for connection, wire in player.ends.values():
        assert not wire.sent
        connection.connection_lost(None)
    player.listener._shared.wills.close()


@pytest.mark.parametrize(("version", "number", "claim"), [pytest.param(*c, id=f"{c[1]} of {NAMES[c[0]]}") for c in CLAIMS])
def test_claim(version: int, number: str, claim: Claim) -> None:
    """The listener does what is claimed of this statement, to the byte."""
    plays = claim.plays(version)
    assert plays
    for play in plays:
        asyncio.run(perform(play))


def test_no_statement_is_claimed_twice() -> None:
    """Each number of each version stands in the table once, with something to see."""
    numbers = [(version, number) for version, number, _ in CLAIMS]
    assert len(set(numbers)) == len(numbers)
    assert sum(version == V5 for version, _ in numbers) > 100
