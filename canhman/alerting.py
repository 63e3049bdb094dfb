"""`canhman alerts`: judges what changed, sends what is due, mirrors it for Grafana; and the open alerts as a list."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

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
from core.errors import CanhManError, RefusedError
from core.place import Station
from core.risk import Risk
from ingest.health import Health
from registry.directory import Directory
from registry.mirroring import Mirrored
from registry.mirroring import Mirroring as Boards

log = structlog.get_logger()

POLL_S = 0.5
NEWEST = 50  # messages that `--outbox` prints
MIRROR_EVERY_S = 10.0  # also after a failed try: a server that is away costs seconds to ask


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


class _Service:
    """One look after the other; what goes wrong is told once, and tried again."""

    def __init__(self, settings: Settings, parts: _Parts, config: Reloaded[Numbers]) -> None:
        self._folder = wiring.data_folder(settings)
        self._clock = parts.clock
        self._health = Health(tell)
        self._receivers = Health(tell)  # told in the log and counted, no trouble of ours: a partner's server must not make /readyz false
        self._figures = {"looks": 0, "points": 0, "rows": 0, "steps": 0, "events": 0, "sent": 0, "sent_again": 0, "failed": 0, "mirrored": 0, "last_look_ms": 0}
        self._figures |= {"mirrored_stations": 0, "mirrored_latest": 0}
        self._mirror_at = 0.0
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

    @property
    def ways(self) -> str:
        """By which channels messages go out, in words."""
        return f"by {', '.join(self._on)}" if self._on else "to the inbox of the pages only (CANHMAN_WEBHOOK is not set)"

    async def step(self) -> None:
        """Judge what changed; mirror what was decided."""
        begun = time.monotonic()
        looked = await self._guard("store or database", self._watch.look)
        if looked is not None and looked.points:
            self._count(looks=1, rows=looked.rows, steps=looked.steps, events=looked.events)
            self._figures |= {"points": looked.points, "last_look_ms": round(1000 * (time.monotonic() - begun))}
            if looked.events:
                log.info("alerts changed", events=looked.events, points=looked.points)
        if time.monotonic() >= self._mirror_at:
            await self._mirror()
            self._mirror_at = time.monotonic() + MIRROR_EVERY_S

    async def _mirror(self) -> None:
        """Alerts, then what boards read; where the store is away for the first it is not asked again."""
        alerts = await self._guard("mirror", lambda: self._mirroring.run(self._clock.now_ms()))
        if alerts is None:
            return
        self._count(mirrored=alerts)
        boards = None if self._boards is None else await self._guard("mirror of boards", functools.partial(self._mirror_boards, self._boards))
        if boards is not None:
            self._count(mirrored_stations=boards.stations, mirrored_latest=boards.latest)

    async def _mirror_boards(self, boards: Boards) -> Mirrored:
        """Where something changed, and each minute of the clock: readings grow old by themselves."""
        marks = self._watch.marks
        if self._boards_made is not None and self._boards_made[0] == marks and 0 <= self._clock.now_ms() - self._boards_made[1] < TICK_MS:
            return Mirrored()
        situation = await self._watch.situation()
        now = self._clock.now_ms()
        mirrored = await boards.run(situation, now)
        self._boards_made = (marks, now)
        return mirrored

    async def send(self) -> None:
        """Until cancelled: send what is due."""
        while True:
            sent = await self._guard("outbox", self._outbox.round)
            if sent is not None:
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

    async def _guard(self, part: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """What `work` returns; None where it failed: told once, and tried again with the next step."""
        try:
            found = await work()
        except CanhManError as error:  # away, refused, or another process of alerts was first
            self._health.red(part, str(error))
        except Exception as error:  # a service outlives its own faults; the trace is in the log
            log.exception("a fault in the alerts", part=part)
            self._health.red(part, f"a fault of ours, see the log: {error}")
            await asyncio.sleep(1.0)
        else:
            self._health.green(part)
            return found
        return None


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
