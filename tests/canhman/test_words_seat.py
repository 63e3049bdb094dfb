"""Which of several ingests takes what devices say of themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, cast

import pytest

from adapters.mqtt_filters import is_shared
from adapters.mqtt_own import SHARE_EXPIRY_S
from canhman import words_seat
from core.errors import UnavailableError
from registry.permissions import FILTERS


class Leases:
    """One lease, whose holder a test sets."""

    def __init__(self, holder: str = "") -> None:
        self.holder = holder
        self.asked: list[tuple[str, str, float]] = []

    async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        self.asked.append((name, holder, ttl_s))
        self.holder = self.holder or holder
        return self.holder == holder


class Source:
    """Remembers what it was told to hold; is away as often as it is told."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.held: list[Sequence[str]] = []
        self.changed = asyncio.Event()

    async def change(self, filters: Sequence[str]) -> None:
        if self.away:
            self.away -= 1
            raise UnavailableError("away")
        self.held.append(filters)
        self.changed.set()


def test_the_first_to_ask_takes_it_for_a_day_and_a_lone_ingest_always() -> None:
    """By the name of its session; without a worker's name nothing is asked."""
    leases = Leases()
    answers = [asyncio.run(words_seat.take(cast("Any", leases), worker)) for worker in ("a", "b", "a", "")]
    assert answers == [True, False, True, True]
    assert leases.asked[0] == ("words", "canhman-ingest-a", SHARE_EXPIRY_S)
    assert len(leases.asked) == 3


def test_words_are_what_cannot_be_shared() -> None:
    """With them all filters, without them the others."""
    assert words_seat.filters(True) == FILTERS
    assert [f for f in FILTERS if f not in words_seat.filters(False)] == [f for f in FILTERS if not is_shared(f)] != []


def test_it_is_taken_up_when_its_holder_has_been_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again and again; a broker that is away just then is asked again; and what is taken by another is given up."""
    monkeypatch.setattr(words_seat, "EVERY_S", 0.001)

    async def scene() -> None:
        leases, source = Leases("canhman-ingest-b"), Source(away=1)
        task = asyncio.create_task(words_seat.follow(cast("Any", leases), cast("Any", source), "a", words=False))
        while len(leases.asked) < 3:
            await asyncio.sleep(0)
        assert source.held == []
        leases.holder = ""
        await source.changed.wait()
        source.changed.clear()
        leases.holder = "canhman-ingest-b"
        await source.changed.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert source.held == [words_seat.filters(True), words_seat.filters(False)]

    asyncio.run(asyncio.wait_for(scene(), 20))
