"""The listener's sessions on disk: found again after a `kill -9`, past any damage, bounded, and never in the way of a log-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import listener_book
from adapters.listener_book import SessionFile
from adapters.listener_sessions import FOREVER, Key, Session, Sessions

A, B, C = ("device:a", "c1"), ("device:b", "c2"), ("org:kg", "trạm \u2028 1")


def played(path: Path, scene: Callable[[SessionFile, dict[Key, Session]], Any], *, wall: float = 1000.0, close: bool = False) -> Any:
    """Open the file at a time of day, do something, and stop: by a kill unless `close`."""

    async def life() -> Any:
        book = SessionFile(path, wall=lambda: wall)
        done = scene(book, book.open())
        if close:
            book.close()
        elif book._timer:
            book._timer.cancel()
        return done

    return asyncio.run(life())


def found(path: Path, *, wall: float = 1000.0) -> dict[Key, tuple[float, set[str]]]:
    """What is in the file, with the time each session has left."""

    def look(book: SessionFile, sessions: dict[Key, Session]) -> dict[Key, tuple[float, set[str]]]:
        now = asyncio.get_running_loop().time()
        return {key: (round(s.until - now, 1), s.subscriptions) for key, s in sessions.items()}

    return dict(played(path, look, wall=wall))


def begin(path: Path, key: Key, *, clean: bool = False, expiry_s: float = 60.0, leave: bool = False, close: bool = False) -> bool:
    """A client logs in (and leaves); then the service is killed, or closed. Whether it found a session."""

    def scene(book: SessionFile, kept: dict[Key, Session]) -> bool:
        sessions, now = Sessions(limit=10), asyncio.get_running_loop().time()
        sessions.restore(book, kept)
        session, present = sessions.begin(key, clean=clean, expiry_s=expiry_s, now=now)
        if leave:
            sessions.leave(key, session, now=now)
        return present

    return bool(played(path, scene, close=close))


def test_a_killed_service_finds_the_sessions_of_its_clients(tmp_path: Path) -> None:
    """A session that began is on its way to the disk when its client hears of it: the next life finds it, whole."""
    path = tmp_path / "mqtt-sessions"
    assert not begin(path, A)
    assert begin(path, A)
    assert not begin(path, C, expiry_s=FOREVER)
    assert begin(path, C, expiry_s=FOREVER)
    assert found(path) == {A: (60.0, set()), C: (FOREVER, set())}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_clean_start_or_no_expiry_leaves_nothing(tmp_path: Path) -> None:
    """Who ends its session does not find it in the next life either, once the service had its second."""
    path = tmp_path / "mqtt-sessions"
    begin(path, A)
    begin(path, A, clean=True, expiry_s=0, close=True)
    assert found(path) == {}
    begin(path, B, expiry_s=0, leave=True, close=True)
    assert found(path) == {}


def test_time_goes_on_while_the_service_is_down(tmp_path: Path) -> None:
    """A client that was away is away for as long as the clock says; one that was here when we died begins to be away now."""
    path = tmp_path / "mqtt-sessions"

    def scene(book: SessionFile, _: dict[Key, Session]) -> None:
        now = asyncio.get_running_loop().time()
        book.keep(A, Session(expiry_s=100, until=now + 100))
        book.keep(B, Session(expiry_s=100, subscriptions={"canhman/kg/b/command"}))
        book.keep(C, Session(expiry_s=10, until=now + 10))

    played(path, scene, wall=1000.0)
    assert found(path, wall=1050.0) == {A: (50.0, set()), B: (100.0, {"canhman/kg/b/command"})}
    assert found(path, wall=1200.0) == {}  # by now both have been away for too long: the file is written anew at each start


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 400))
def test_damage_costs_the_lines_it_touches(junk: bytes, at: int, cut: int) -> None:
    """Whatever bytes are changed or cut off: no session is invented, and nothing is raised."""
    book = SessionFile(Path("nowhere"))  # never opened
    lines = [book._line(("device:x", f"c{n}"), Session(expiry_s=60)) for n in range(8)]
    whole = b"".join(lines)
    damaged = whole[:at] + junk + whole[at + len(junk) :]
    damaged = damaged[: len(damaged) - cut] if cut < len(damaged) else b""
    sessions: dict[Key, Session] = {}
    for line in damaged.split(b"\n"):
        SessionFile._read(line, sessions, 0.0)
    assert set(sessions) <= {("device:x", f"c{n}") for n in range(8)}
    untouched = sum(line[:-1] in damaged.split(b"\n") for line in lines)
    assert len(sessions) >= untouched


def test_the_file_is_written_anew_before_it_grows_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many changes of few sessions leave few lines; what comes meanwhile is not lost."""
    monkeypatch.setattr(listener_book, "_LEAST_LINES", 20)
    monkeypatch.setattr(listener_book, "_LATE_S", 0.0)
    path = tmp_path / "mqtt-sessions"

    async def life() -> None:
        book = SessionFile(path)
        book.open()
        for n in range(50):
            book.keep(A, Session(expiry_s=60 + n))
        task = None
        while task is None:
            await asyncio.sleep(0)
            task = book._task
        book.keep(B, Session(expiry_s=60))  # while it is being written
        await task
        book.note(C, Session(expiry_s=60))
        book.close()

    asyncio.run(life())
    assert len(path.read_bytes().splitlines()) == 3
    assert set(found(path)) == {A, B, C}
    assert not path.with_suffix(".new").exists()


def test_a_disk_that_refuses_stops_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once; clients log in, and find their sessions as long as we live."""
    path = tmp_path / "gone" / "mqtt-sessions"

    def scene(book: SessionFile, kept: dict[Key, Session]) -> None:
        sessions = Sessions(limit=10)
        sessions.restore(book, kept)
        for _ in range(3):
            session, _ = sessions.begin(A, clean=False, expiry_s=60, now=1.0)
            sessions.leave(A, session, now=1.0)
        assert sessions.begin(A, clean=False, expiry_s=60, now=2.0)[1]
        assert not book._waiting

    played(path, scene)
    assert capsys.readouterr().out.count("sessions are not written down") == 1
