"""The Leases port over SQL: one holder at a time, for a time."""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol

import pytest
from sqlalchemy.dialects import postgresql

from adapters.sql import SqlDatabase, leases, open_database


class Hands(Protocol):
    ms: int


A, B = "host-a:/var/lib/canhman", "host-b:/var/lib/canhman"


def take(database: SqlDatabase, holder: str, ttl_s: float = 30.0, name: str = "judge") -> bool:
    return asyncio.run(database.take_lease(name, holder, ttl_s))


def test_one_holder_at_a_time(database: SqlDatabase) -> None:
    """Who has it renews it, another one is told no and by whom; another name is another lease."""
    assert asyncio.run(database.lease_holder("judge")) == ""
    assert [take(database, A), take(database, B), take(database, A)] == [True, False, True]
    assert asyncio.run(database.lease_holder("judge")) == A
    assert take(database, B, name="mirror")


@pytest.mark.sqlite("PostgreSQL goes by its own clock")
def test_it_is_lost_when_not_renewed(database: SqlDatabase, clock: Hands) -> None:
    """A renewal counts from its own moment; once the time is over another one takes it, and the first learns of it."""
    assert take(database, A)
    clock.ms += 20_000
    assert take(database, A)
    clock.ms += 29_999
    assert not take(database, B)
    clock.ms += 1
    assert asyncio.run(database.lease_holder("judge")) == ""
    assert [take(database, B), take(database, A)] == [True, False]


def test_only_its_holder_gives_it_up(database: SqlDatabase) -> None:
    """`release` by another changes nothing; by the holder it is free at once."""
    assert take(database, A)
    asyncio.run(database.release_lease("judge", B))
    assert not take(database, B)
    asyncio.run(database.release_lease("judge", A))
    assert take(database, B)


@pytest.mark.sqlite("PostgreSQL goes by its own clock")
def test_a_clock_that_was_set_back_binds_nobody(database: SqlDatabase, clock: Hands) -> None:
    """A lease taken while the clock stood a day ahead must not keep every judge away for a day."""
    clock.ms += 86_400_000
    assert take(database, A)
    clock.ms -= 86_400_000
    assert [take(database, B), take(database, A)] == [True, False]


def test_of_many_who_ask_at_once_one_gets_it(url: str, database: SqlDatabase) -> None:
    """Eight threads with a database of their own: exactly one is told yes."""
    answers: list[bool] = []
    start = threading.Barrier(8)

    def ask(number: int) -> None:
        own = open_database(url)
        start.wait()
        answers.append(take(own, f"host-{number}"))
        own.close()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_postgresql_asks_its_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the statement is one INSERT … ON CONFLICT … WHERE … RETURNING, with the server's time."""
    said: list[str] = []

    class Answer:
        def scalar_one(self) -> int:
            return 5_000

        def one_or_none(self) -> None:
            return None

    class Server:
        dialect = postgresql.dialect()

        def execute(self, statement: object) -> Answer:
            said.append(str(statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})))  # type: ignore[attr-defined] # a clause
            return Answer()

    assert leases.take(Server(), "judge", A, 1000, at=1) is False  # type: ignore[arg-type] # as much of a connection as is used
    assert "clock_timestamp()" in said[0]
    text = " ".join(said[1].split())
    assert "ON CONFLICT (name) DO UPDATE SET" in text
    assert "lease.expires_at <= 5000 OR lease.expires_at > 7000" in text
    assert text.endswith("RETURNING lease.name")
