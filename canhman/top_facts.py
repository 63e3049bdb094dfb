"""What `canhman top` shows: from heartbeats and the database only, no service is asked anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.sql.database import SqlDatabase
from canhman import heartbeat
from canhman.device_facts import missing_of
from canhman.heartbeat import Heartbeat
from core.clock import Clock
from core.deadletter import Choice
from core.errors import UnavailableError
from ingest.clock_words import short

SERVICES = ("judge", "forecast", "alerts", "serve")
DATABASE_EVERY_S = 5.0  # what the database knows changes slowly, and asking it takes longer than a look at files
DAY_MS = 86_400_000
NOISIEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What one device has us do: dead letters of the last day, messages that came again, numbers that never came, its clock."""

    device: str
    dead: int
    again: int
    missing: int
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database knows. `dead`: unresolved by reason; `newest_age_s`: of the newest reading of all."""

    dead: Mapping[str, int] = field(default_factory=dict)
    noisiest: tuple[Noise, ...] = ()
    newest_age_s: float | None = None
    devices: int = 0
    missing: int = 0
    waiting: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: every service that runs, or ran, by name, at `at` [system s]; and what the database knew last."""

    at: float
    beats: Mapping[str, Heartbeat]
    known: Known
    silent: Mapping[str, str] = field(default_factory=dict)  # why one has not spoken lately though it runs


class Looker:
    """Looks again and again; the database seldomer than the files."""

    def __init__(self, folder: Path, db: SqlDatabase, clock: Callable[[], Awaitable[Clock]]) -> None:
        """`clock`: the installation's, read anew each time, for a simulated one stands in the database."""
        self._folder = folder
        self._db = db
        self._clock = clock
        self._known = Known()
        self._asked_at = float("-inf")

    async def look(self) -> Look:
        """As it stands now."""
        if time.monotonic() - self._asked_at >= DATABASE_EVERY_S:
            try:
                self._known = await known(self._db, (await self._clock()).now_ms())
            except UnavailableError as error:
                self._known = Known(trouble=str(error))
            self._asked_at = time.monotonic()
        found = beats(self._folder)
        silent = {name: why for name, beat in found.items() if not beat.is_fresh and (why := heartbeat.why_silent(self._folder, beat))}
        return Look(at=time.time(), beats=found, known=self._known, silent=silent)


def beats(folder: Path) -> dict[str, Heartbeat]:
    """Ingests first, then the services behind them."""
    others = {name: heartbeat.read(folder, name) for name in SERVICES}
    return heartbeat.ingests(folder) | {name: beat for name, beat in others.items() if beat is not None}


async def known(db: SqlDatabase, now: int) -> Known:
    """What the database knows at `now` [ms]."""
    tallies = await db.dead_letter_tallies(Choice(since=now - DAY_MS))
    dead: Counter[str] = Counter()
    for tally in tallies:
        dead[tally.device] += tally.count
    again: Counter[str] = Counter()
    for name, count in (await db.counters()).items():
        what, _, whom = name.partition(":")
        if what == "duplicate":
            again[whom] += count
    missing = missing_of(await db.gaps())
    clocks = {c.device: c for c in await db.device_clocks()}
    loudest = (dead + missing).most_common(NOISIEST) if dead or missing else again.most_common(NOISIEST)
    newest = max((s.newest.time for s in await db.states()), default=None)
    return Known(
        dead=await db.dead_letter_counts(),
        noisiest=tuple(Noise(device=d, dead=dead[d], again=again[d], missing=missing[d], clock=short(clocks.get(d), now)) for d, _ in loudest),
        newest_age_s=None if newest is None else max(0, now - newest) / 1000,
        devices=len((await db.snapshot()).devices),
        missing=missing.total(),
        waiting=len(await db.waiting_devices()),
    )


def as_json(look: Look) -> dict[str, Any]:
    """One look for programs."""
    k = look.known
    return {
        "at": round(look.at, 3),
        "services": {
            name: {
                "up": beat.is_fresh,
                "age_s": round(beat.age_s, 1),
                "pid": beat.pid,
                "silent": look.silent.get(name, ""),
                "troubles": beat.troubles,
                "recent": beat.recent,
                "figures": beat.figures,
            }
            for name, beat in look.beats.items()
        },
        "dead_letters": dict(k.dead),
        "newest_reading_age_s": k.newest_age_s,
        "devices": k.devices,
        "waiting": k.waiting,
        "missing": k.missing,
        "noisiest": [{"device": n.device, "dead_letters": n.dead, "duplicates": n.again, "missing": n.missing, "clock": n.clock} for n in k.noisiest],
        "database": k.trouble or "ok",
    }
