"""The judge's seat: one process of a folder, one folder of a database."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adapters.sql import SqlDatabase, open_database, prepare
from canhman.judge_lock import LEASE, JudgeSeat
from core.errors import UnavailableError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("seat") / "registry.db"
    prepare(f"sqlite:///{path}")
    return f"sqlite:///{path}"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    found = (tmp_path / "a", tmp_path / "b")
    for folder in found:
        folder.mkdir()
    return found


def test_one_seat_in_a_folder_and_one_in_a_database(url: str, folders: tuple[Path, Path]) -> None:
    """A second process of the folder is told no by the lock, another folder by the lease and by whom; given up it is free at once."""
    db = open_database(url)
    first, second, far = JudgeSeat(folders[0], db), JudgeSeat(folders[0], db), JudgeSeat(folders[1], db)

    async def work() -> None:
        assert await first.take()
        assert await first.take()
        assert not await second.take()
        assert await second.other() == ""
        assert not await far.take()
        assert str(folders[0]) in await far.other()
        await far.release()
        assert not await far.take(), "who does not hold it cannot give it up"
        await first.release()
        assert await far.take()
        await far.release()

    asyncio.run(work())
    db.close()


def test_who_comes_again_on_the_folder_goes_on_at_once(url: str, folders: tuple[Path, Path]) -> None:
    """After a kill the kernel has dropped the lock, and the lease of the folder is still its own."""
    db = open_database(url)
    killed = JudgeSeat(folders[0], db)

    async def work() -> None:
        assert await killed.take()
        killed._lock.release()  # as the kernel does it
        again = JudgeSeat(folders[0], db)
        assert await again.take()
        await again.release()

    asyncio.run(work())
    db.close()


def test_the_lease_is_asked_for_only_when_a_third_has_passed(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round may ask: a transaction is spent each third of the lease's time; one that was lost is asked for again each time."""
    now, asked, answer = [100.0], [], [True]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Desk:
        async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
            asked.append((now[0], name, ttl_s))
            return answer[0]

    seat = JudgeSeat(folders[0], Desk(), ttl_s=30.0)  # type: ignore[arg-type] # as much of Leases as is used

    async def work() -> None:
        for now[0] in (100.0, 101.0, 109.9, 110.0, 111.0):
            assert await seat.take()
        assert [at for at, _, _ in asked] == [100.0, 110.0]
        assert asked[0][1:] == (LEASE, 30.0)
        answer[0] = False
        for now[0] in (121.0, 121.1):
            assert not await seat.take()
        assert len(asked) == 4
        answer[0] = True
        assert await seat.take()

    asyncio.run(work())


def test_a_database_that_is_away_keeps_nobody_from_ending(url: str, folders: tuple[Path, Path]) -> None:
    """`release` gives the folder back even where the lease cannot be given up."""
    db = open_database(url)
    seat = JudgeSeat(folders[0], db)

    async def work() -> None:
        assert await seat.take()

        async def away(name: str, holder: str) -> None:
            raise UnavailableError("gone")

        db.release_lease = away  # type: ignore[method-assign] # it is away
        await seat.release()
        again = JudgeSeat(folders[0], SqlDatabase(db._engine, db._clock))
        assert await again.take()
        await again.release()

    asyncio.run(work())
    db.close()
