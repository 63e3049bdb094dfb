"""`canhman top`: from heartbeats and the database alone; live in a terminal, once elsewhere, as JSON for programs; in both languages."""

from __future__ import annotations

import asyncio
import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console
from servers.front import Front

from adapters.sql.database import SqlDatabase
from canhman import heartbeat, top_view
from canhman.signals import Signals
from canhman.top_facts import Known, Look, Looker, Noise
from core.clock import SystemClock
from core.deadletter import DeadLetter
from core.errors import UnavailableError
from core.state import BootSpan, Commit, DeviceClock
from ingest.meters import Meters, Watch

NASTY = "\x1b[2J<img src=x>\u202e"


def beat(folder: Path, name: str = "ingest", **troubles: str) -> None:
    """An ingest that took 6,000 messages in a minute, each fsync 3 ms, and stored half of them."""
    meters = Meters()
    watch = Watch(meters, now=0.0)
    meters.received += 6000
    for _ in range(300):
        meters.kept(20, 0.003)
    for _ in range(10):
        meters.wrote(300, 0.02)
    watch.look(60.0, 4.5)
    figures = {**meters.counts(), "lag_messages": 3000, "lag_ms": 4500}
    heartbeat.write(folder, name, troubles, figures, recent=watch.recent(), histograms=meters.histograms())


def filled(front: Front) -> None:
    """Two workers, one in trouble; a forecast that has gone quiet; devices that make trouble."""
    front.ok("migrate")
    front.ok("devices", "add", "kl01")
    now = SystemClock().now_ms()
    dead = tuple(
        DeadLetter(reason=reason, text="why", journal="j", position=n, topic="t", org="default", device=device, received=now, count=count)
        for n, (reason, device, count) in enumerate([("clock", "kl01", 1200), ("malformed", NASTY, 1)])
    )
    clock = DeviceClock(device="kl01", verdict="zone", offset_ms=25_200_000, spread_ms=0, drift_ms=None, at=now)
    span = BootSpan(device="kl01", boot=1, lowest=0, highest=99, holes=((3, 9),))
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=9999, dead=dead, clocks=(clock,), boots=(span,), counters={"duplicate:kl01": 4})))
    beat(front.data, "ingest-1")
    beat(front.data, "ingest-2", store=f"away {NASTY}")
    heartbeat.write(front.data, "forecast", {}, {})
    path = front.data / "forecast.heartbeat.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"at": time.time() - 600, "born": "0"}))  # its process is gone


def test_one_look_as_json(front: Front) -> None:
    """Rates and quantiles of the last minute, what is behind, who is up, what is wrong."""
    filled(front)
    told = front.ok("top", "--json").json
    assert list(told["services"]) == ["ingest-1", "ingest-2", "forecast"]
    one = told["services"]["ingest-1"]
    assert (one["up"], one["figures"]["lag_messages"], one["recent"]["received_per_s"]) == (True, 3000, 100)
    assert 0.0025 <= one["recent"]["fsync_seconds_p99"] <= 0.005
    assert (told["services"]["forecast"]["up"], told["services"]["ingest-2"]["troubles"]) == (False, {"store": f"away {NASTY}"})
    assert told["dead_letters"] == {"clock": 1200, "malformed": 1}
    assert (told["missing"], told["devices"], told["waiting"], told["newest_reading_age_s"]) == (7, 1, 0, None)
    assert told["noisiest"][0] == {"device": "kl01", "dead_letters": 1200, "duplicates": 4, "missing": 7, "clock": "+7 h (zone?)"}


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("vi", ("Nhận/giây", "100", "3.000", "4,5", "clock 1.200", "đang chạy", "im 10 phút")),
        ("en", ("Received/s", "100", "3,000", "4.5", "clock 1,200", "runs", "quiet for 10 min")),
    ],
)
def test_one_look_for_people(front: Front, lang: str, words: tuple[str, ...]) -> None:
    """Where there is no terminal: once, and it ends; numbers as people write them; a stranger's words drive no terminal."""
    filled(front)
    shown = front.ok("top", "--lang", lang).out
    for word in (*words, "ingest-2", "store: away", "+7 h (zone?)", "<img src=x>"):
        assert word in shown
    assert not set(shown) & set("\x1b\u202e")


def test_where_nothing_runs(front: Front) -> None:
    """It says so; an installation that is not there is one line; a language we do not have is wrong use."""
    assert "no installation is there" in front("top").line
    front.ok("migrate")
    assert "No service runs" in front.ok("top", "--lang", "en").out
    assert "--lang 'fr'" in front("top", "--lang", "fr").usage


def test_live_it_draws_again_until_a_stop(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look anew from the files, the database seldomer; a database that is away is a line on the screen."""
    filled(front)
    asked = 0

    class Away:
        async def dead_letter_tallies(self, choice: object) -> None:
            nonlocal asked
            asked += 1
            raise UnavailableError("database is away")

    async def clock() -> SystemClock:
        return SystemClock()

    signals, out = Signals(), io.StringIO()
    db: SqlDatabase = Away()  # type: ignore[assignment]  # as much of it as is asked
    looker = Looker(front.data, db, clock)
    waits = 0

    async def wait(seconds: float | None = None) -> bool:
        nonlocal waits
        waits += 1
        assert seconds == 0.2
        beat(front.data, f"ingest-{waits + 2}")
        if waits == 3:
            signals.stop()
        return signals.stopped

    monkeypatch.setattr(signals, "wait", wait)
    asyncio.run(top_view.run(looker, Console(file=out, force_terminal=True, width=200, height=40), signals, every=0.2, lang="en"))
    assert waits == 3
    assert asked == 1
    assert "ingest-4" in out.getvalue()
    assert "database is away" in out.getvalue()


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("newest", [None, 0.0, 90.0, 1e7])
def test_every_look_can_be_drawn(lang: str, newest: float | None) -> None:
    """Of an ingest that has just started, and of any database."""
    fresh = heartbeat.Heartbeat(service="ingest", pid=1, at=time.time(), troubles={}, figures={})
    known = Known(newest_age_s=newest, noisiest=(Noise(device="x", dead=0, again=0, missing=0, clock=""),))
    console = Console(file=io.StringIO(), width=80)
    console.print(top_view.picture(Look(at=time.time(), beats={"ingest": fresh}, known=known), lang))
