"""`canhman alerts`: judges what changed, sends what is due, mirrors it for Grafana; and the open alerts as a list."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from adapters.http import HttpSender
from adapters.sql.database import SqlDatabase
from alerts.config import AlertRules
from alerts.listing import highest
from alerts.mirroring import Mirroring
from alerts.notifier import Channels
from alerts.outbox import NOTIFIERS, Outbox
from alerts.watch import TICK_MS, Watch
from canhman import heartbeat, wiring
from canhman.clocks import FollowedClock
from canhman.configuration import read_alerts, read_risk
from canhman.judge_lock import JudgeLock
from canhman.loops import for_ever, tell, unless_stopped
from canhman.reloading import Reloaded
from canhman.settings import Settings
from canhman.signals import Signals
from core.alert import Alert, Intent
from core.clock import Clock, SystemClock, rfc3339
from core.errors import CanhManError, RefusedError, UnavailableError
from core.place import Station
from core.risk import Risk
from ingest.health import Health
from registry.directory import Directory
from registry.mirroring import Mirroring as Boards
from registry.situation import Situation

log = structlog.get_logger()

T = TypeVar("T")

POLL_S = 0.5
NEWEST = 50  # messages that `--outbox` prints
MIRROR_EVERY_S = 10.0  # alerts; and anything after a failed try: a server that is away costs seconds to ask
BOARDS_EVERY_S = 1.0  # what boards colour, where something changed: a reading that fails loses its colour within a second or two


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """`alerts.toml` and `risk.toml`: both are taken in, or neither."""

    rules: AlertRules
    risk: Risk


def numbers(settings: Settings) -> Reloaded[Numbers]:
    """Read at start and again at SIGHUP."""
    return Reloaded(
        lambda: Numbers(rules=read_alerts(settings.config), risk=read_risk(settings.config)),
        lambda found: {"alerts": found.rules.hash, "risk": found.risk.hash},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    db: SqlDatabase
    store: wiring.Store
    clock: Clock
    http: HttpSender


async def alerts(settings: Settings, *, wait_s: float, signals: Signals, started: Callable[[str], None]) -> None:
    """Until a stop. Raises only at start: a server is missing or refuses us, a file of the configuration is broken, or another of us runs."""
    config = numbers(settings)
    config.on_hangup(signals)
    async with _alone(settings), _opened(settings, wait_s) as parts:
        service = _Service(settings, parts, config)
        started(f"watching lines {', '.join(f'{line:g}' for line in config.current.rules.lines)} g/L; messages go {service.ways}")
        tasks = [asyncio.create_task(for_ever(work)) for work in (service.beat, service.send)]
        if isinstance(parts.clock, FollowedClock):
            tasks.append(asyncio.create_task(for_ever(parts.clock.follow)))
        try:
            while not signals.stopped:
                await unless_stopped(service.step(), signals)
                await signals.wait(POLL_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[None]:
    """Two that watch and send would tell people everything twice. Raises RefusedError where another does."""
    lock = JudgeLock(wiring.data_folder(settings), "alerts.lock")
    if not lock.take():
        raise RefusedError("another canhman alerts (or up, or demo) watches and sends for this CANHMAN_DATA; stop it first, or leave it to it")
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _opened(settings: Settings, wait_s: float) -> AsyncIterator[_Parts]:
    db = wiring.database(settings, wait_s=wait_s)
    store = wiring.store(settings, shared=True, journalled=False)
    http = HttpSender()
    try:
        clock = await wiring.clock(settings, db)
        await wiring.patient(store.open, wait_s=wait_s, say=log.warning)
        yield _Parts(db=db, store=store, clock=clock, http=http)
    finally:
        await http.close()
        await store.close()
        db.close()


@dataclass(slots=True, kw_only=True)
class _Part:
    """One mirror: `work` returns what the store refuses in words, and is due at `due` of the monotonic clock [s]."""

    name: str
    work: Callable[[], Awaitable[str]]
    every_s: float
    due: float = 0.0


class _Service:
    """One look after the other; what goes wrong is told once, and tried again."""

    def __init__(self, settings: Settings, parts: _Parts, config: Reloaded[Numbers]) -> None:
        self._folder = wiring.data_folder(settings)
        self._clock = parts.clock
        self._health = Health(tell)
        self._receivers = Health(tell)  # told in the log and counted, no trouble of ours: a partner's server must not make /readyz false
        self._figures = {"looks": 0, "points": 0, "rows": 0, "steps": 0, "events": 0, "sent": 0, "sent_again": 0, "failed": 0, "mirrored": 0, "last_look_ms": 0}
        self._figures |= {"mirrored_stations": 0, "mirrored_latest": 0}
        channels = Channels(webhook=settings.webhook.get_secret_value(), webhook_secret=settings.webhook_secret.get_secret_value())
        self._on = tuple(name for name, notifier in NOTIFIERS.items() if notifier.is_on(channels))
        if channels.webhook and not channels.webhook_secret:
            log.warning("webhooks are not signed: set CANHMAN_WEBHOOK_SECRET, so that the receiver can tell who sends")
        system = SystemClock()
        self._watch = Watch(
            parts.db,
            parts.store,
            clock=parts.clock,
            system=system,
            rules=lambda: config.current.rules,
            risk=lambda: config.current.risk,
            channels=lambda: self._on,
        )
        self._outbox = Outbox(parts.db, parts.http, self._watch, channels=lambda: channels, clock=parts.clock, system=system)
        self._mirroring = Mirroring(parts.db, parts.store)
        self._boards = Boards(parts.store) if settings.store_address.kind == "influxdb" else None  # no board reads another store
        self._boards_made: tuple[tuple[int, int, str], int] | None = None  # of which marks, and when by the installation's clock [ms]
        self._situation: Situation | None = None  # that the boards were made of last
        # the colours first: a value that must lose its own waits for nothing else
        self._mirrors = [
            _Part(name="mirror of boards", work=self._mirror_latest, every_s=BOARDS_EVERY_S),
            _Part(name="mirror of stations", work=self._mirror_stations, every_s=BOARDS_EVERY_S),
            _Part(name="mirror", work=self._mirror_alerts, every_s=MIRROR_EVERY_S),
        ]

    @property
    def ways(self) -> str:
        """By which channels messages go out, in words."""
        return f"by {', '.join(self._on)}" if self._on else "to the inbox of the pages only (CANHMAN_WEBHOOK is not set)"

    async def step(self) -> None:
        """Judge what changed; mirror what was decided."""
        begun = time.monotonic()
        looked = await self._try("store or database", self._watch.look)
        if not isinstance(looked, Exception) and looked.points:
            self._count(looks=1, rows=looked.rows, steps=looked.steps, events=looked.events)
            self._figures |= {"points": looked.points, "last_look_ms": round(1000 * (time.monotonic() - begun))}
            if looked.events:
                log.info("alerts changed", events=looked.events, points=looked.points)
        await self._mirror()

    async def _mirror(self) -> None:
        """Each part that is due, whatever became of those before it; a store that is away for one is not asked for the rest of this round."""
        for n, part in enumerate(self._mirrors):
            if time.monotonic() < part.due:
                continue
            done = await self._try(part.name, part.work, trouble=str)
            part.due = time.monotonic() + (MIRROR_EVERY_S if isinstance(done, Exception) else part.every_s)
            if isinstance(done, UnavailableError):
                for later in self._mirrors[n + 1 :]:
                    later.due = part.due
                return

    async def _mirror_latest(self) -> str:
        """Where something changed, and each minute of the clock: readings grow old by themselves. Returns what is refused."""
        marks = self._watch.marks
        if self._boards is None:
            return ""
        if self._boards_made is None or self._boards_made[0] != marks or not 0 <= self._clock.now_ms() - self._boards_made[1] < TICK_MS:
            self._situation = await self._watch.situation()
            now = self._clock.now_ms()
            self._count(mirrored_latest=await self._boards.latest(self._situation, now))
            self._boards_made = (marks, now)
        return self._boards.refused

    async def _mirror_stations(self) -> str:
        if self._boards is not None and self._situation is not None:
            self._count(mirrored_stations=await self._boards.stations(self._situation.directory, self._clock.now_ms()))
        return ""

    async def _mirror_alerts(self) -> str:
        self._count(mirrored=await self._mirroring.run(self._clock.now_ms()))
        return self._mirroring.refused

    async def send(self) -> None:
        """Until cancelled: send what is due."""
        while True:
            sent = await self._try("outbox", self._outbox.round)
            if not isinstance(sent, Exception):
                self._count(sent=sent.done, sent_again=sent.again, failed=sent.failed)
                if sent.trouble:
                    self._receivers.red("the receiver of messages", sent.trouble)
                elif sent.done:
                    self._receivers.green("the receiver of messages")
            await asyncio.sleep(POLL_S)

    async def beat(self) -> None:
        """Until cancelled: say how it is, each two seconds."""
        while True:
            await asyncio.to_thread(heartbeat.write, self._folder, "alerts", self._health.troubles, dict(self._figures))
            await asyncio.sleep(heartbeat.EVERY_S)

    def _count(self, **more: int) -> None:
        for name, n in more.items():
            self._figures[name] += n

    async def _try(self, part: str, work: Callable[[], Awaitable[T]], *, trouble: Callable[[T], str] = lambda _: "") -> T | Exception:
        """What `work` returns, or why it failed: told once, and tried again with a later step. `trouble` finds what is wrong in a result."""
        try:
            found = await work()
        except CanhManError as error:  # away, refused, or another process of alerts was first
            self._health.red(part, str(error))
            return error
        except Exception as error:  # a service outlives its own faults; the trace is in the log
            log.exception("a fault in the alerts", part=part)
            self._health.red(part, f"a fault of ours, see the log: {error}")
            await asyncio.sleep(1.0)
            return error
        said = trouble(found)
        if said:
            self._health.red(part, said)
        else:
            self._health.green(part)
        return found


async def open_alerts(settings: Settings, *, wait_s: float) -> tuple[list[tuple[Alert, Station]], int]:
    """What is open now, of each place the highest line, the highest level first; and the installation's now [ms]."""
    db = wiring.database(settings, wait_s=wait_s)
    try:
        clock = await wiring.clock(settings, db)
        directory = Directory(await db.snapshot())
        now = clock.now_ms()
        live = [a for a in await db.live_alerts(cleared_since=now) if a.state != "cleared"]
        shown = sorted(highest(live), key=lambda a: (-a.level, a.opened_at))
        return [(a, directory.station(a.station) or Station(id=a.station, org=a.org, name=a.station)) for a in shown], now
    finally:
        db.close()


async def outbox(settings: Settings, *, wait_s: float) -> list[Intent]:
    """The newest messages, the newest first."""
    db = wiring.database(settings, wait_s=wait_s)
    try:
        return await db.intents(limit=NEWEST)
    finally:
        db.close()


def message(intent: Intent) -> dict[str, object]:
    """One message for `--outbox`; not its recipient, which may be an address."""
    named = {name: getattr(intent, name) for name in ("id", "key", "channel", "alert", "state", "attempts")}
    return {**named, "due_at": rfc3339(intent.due_at) if intent.state == "waiting" else None, "receipt": intent.receipt}


def row(alert: Alert, text: str) -> tuple[object, ...]:
    """One alert for the table of `--list`."""
    return (alert.id, alert.kind, "" if alert.line is None else f"{alert.line:g}", alert.state, rfc3339(alert.opened_at), text)
