"""Services that run until they are told to stop: ingest, and the judge by itself."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from adapters.journal import FileJournal
from adapters.listener import Listener
from adapters.mqtt_source import BrokerSource
from adapters.offload import offload
from adapters.sql.database import SqlDatabase
from adapters.threads import name_this_thread
from canhman import broker_record, descriptors, heartbeat, journal_house, wiring, words_seat
from canhman.authority import RegistryAuthority
from canhman.clocks import FollowedClock
from canhman.configuration import read_qc
from canhman.ingest_pulse import Pulse
from canhman.judge_lock import JudgeSeat
from canhman.loops import for_ever, tell
from canhman.reloading import Reloaded
from canhman.settings import Settings
from canhman.signals import Signals
from core.clock import Clock
from core.errors import RefusedError, UnavailableError
from core.ports import MessageSource, SeriesStore
from ingest.health import Health
from ingest.meters import Meters
from ingest.pipeline import Processor
from ingest.run import Worker, receive
from quality.rules import QcConfig
from quality.sweep import Sweep, sweep

log = structlog.get_logger()
T = TypeVar("T")

Started = Callable[[str], None]
"""Called once a service takes work; says what it does and where."""

# The network thread must not wait 5 ms (Python's default) for the worker's turn to end: over MQTT 3.1.1 a broker sends
# no more before it hears from us, and its queue grows meanwhile.
SWITCH_S = 0.0005
# Objects made between two young collections: a batch makes some 20,000 that all die with it, and looking for cycles among
# them every 700 cost a tenth of ingest.
GC_THRESHOLDS = (50_000, 20, 100)
BRIEF_ROWS = 2000  # far from a whole batch: none waits that could be converted meanwhile


def qc(settings: Settings) -> Reloaded[QcConfig]:
    """The configuration of quality control, read at start and again at SIGHUP."""
    return Reloaded(lambda: read_qc(settings.config), lambda config: {"qc": config.hash})


async def alone(service: Callable[[Signals, Started], Coroutine[Any, Any, T]], started: Started) -> T | None:
    """One service as the whole process, in the main thread: SIGTERM and SIGINT end it, SIGHUP has it read its configuration again."""
    signals = Signals()
    signals.listen()
    return await attended(lambda tell: service(signals, tell), signals, started)


async def attended(service: Callable[[Started], Coroutine[Any, Any, T]], signals: Signals, started: Started) -> T | None:
    """Await a service; a stop that comes before it has started (it waits for a server) ends it at once, and then it has no answer."""
    has_started = False

    def tell(what: str) -> None:
        nonlocal has_started
        has_started = True
        started(what)

    work = asyncio.ensure_future(service(tell))
    stop = asyncio.ensure_future(signals.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not has_started and not work.done():
        work.cancel()
        await asyncio.wait({work})
    return None if work.cancelled() else await work


async def ingest(settings: Settings, *, wait_s: float, signals: Signals, started: Started, judging: bool = True) -> None:
    """`canhman ingest`: until a stop. Raises only at start, while a server is missing or refuses us."""
    descriptors.make_ready()
    db = wiring.database(settings, wait_s=wait_s)
    await wiring.seed(db, settings.config)
    config = qc(settings)
    at = await wiring.clock(settings, db)
    health = Health(tell)
    meters = Meters(at)
    words = await words_seat.take(db, settings.worker)
    shared = bool(settings.worker) or not judging
    async with _opened(settings, db, at, wait_s, shared=shared, filters=words_seat.filters(words)) as (journal, store, source, authority):
        seat = JudgeSeat(wiring.data_folder(settings), db)
        processor = Processor(
            journal=journal,
            store=store,
            database=db,
            config=config.current,
            clock=at,
            mode=settings.enrol,
            public=settings.enrol_public,
            judging=None if shared else seat.take,
            shared=bool(settings.worker),
        )

        async def still_the_judge() -> bool:
            meters.begins()  # a long round is no worker that hangs
            return await seat.take()

        async def judge() -> int:
            if not await seat.take():
                return 0
            done = await sweep(db, store, config.current, learn=processor.learn, go_on=still_the_judge)
            meters.judged += done.judged
            return done.series

        worker = Worker(processor=processor, journal=journal, database=db, judge=judge if judging else None, health=health, meters=meters)
        config.on_hangup(signals, worker.configure)
        started(_where(settings, source))
        async with journal_house.kept(settings, journal, processor, db, at):
            also = [lambda: words_seat.follow(db, source, settings.worker, words)] if settings.worker and isinstance(source, BrokerSource) else []
            await _until_stopped(settings, signals, worker, journal, source, authority, at, health, processor, meters, also)
        await seat.release()
    db.close()


@asynccontextmanager
async def _opened(
    settings: Settings, db: SqlDatabase, at: Clock, wait_s: float, *, shared: bool, filters: Sequence[str]
) -> AsyncIterator[tuple[FileJournal, SeriesStore, MessageSource, RegistryAuthority]]:
    """Store, journal and source, opened in this order and closed in the other."""
    say = log.warning
    store: SeriesStore = wiring.store(settings, shared=shared)
    if settings.store_address.kind == "influxdb":
        store = offload(store, brief={"write": BRIEF_ROWS})  # while the server writes one batch the worker converts the next
    authority = RegistryAuthority(db, wiring.secret(settings), closed=settings.enrol == "closed")
    source = wiring.source(settings, authority, at, filters=filters)
    journal = wiring.journal(settings, at)
    try:
        await wiring.patient(store.open, wait_s=wait_s, say=say)
        journal.open()
        furthest = max(await store.cursor(journal.id), await db.state_cursor(journal.id))
        if furthest > journal.end:  # the disk lost the end of the journal: never reuse a position a cursor has passed
            log.error("the journal ends before its cursor", end=journal.end, cursor=furthest)
            journal.close()
            journal.open(floor=furthest)
        if isinstance(source, Listener):  # a broker asks its own files who may log in
            await asyncio.to_thread(authority.read)
        await wiring.patient(source.open, wait_s=wait_s, say=say)
        if isinstance(source, BrokerSource):
            if not source.found_session and broker_record.knows_session(settings, settings.worker):
                source.forgotten()
            broker_record.remember_session(settings, settings.worker)
        yield journal, store, source, authority
    finally:
        await source.close()
        journal.close()
        await store.close()


def _where(settings: Settings, source: MessageSource) -> str:
    if isinstance(source, Listener):
        return f"listening for devices on {settings.broker_address.host}:{source.port}"
    return f"subscribed at {settings.broker_address.host}:{settings.broker_address.port}"


async def _until_stopped(
    settings: Settings,
    signals: Signals,
    worker: Worker,
    journal: FileJournal,
    source: MessageSource,
    authority: RegistryAuthority,
    at: Clock,
    health: Health,
    processor: Processor,
    meters: Meters,
    also: Sequence[Callable[[], Awaitable[None]]],
) -> None:
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what stands now stays: no collection looks at it again
    gc.set_threshold(*GC_THRESHOLDS)
    thread = threading.Thread(target=_work, args=(worker,), name="worker", daemon=True)
    thread.start()
    pulse = Pulse(settings, journal=journal, processor=processor, source=source, meters=meters, health=health, now=time.monotonic())
    tasks = [
        asyncio.create_task(for_ever(lambda: receive(source, journal, health, meters))),
        asyncio.create_task(for_ever(pulse.follow)),
    ]
    if isinstance(source, Listener):
        tasks.append(asyncio.create_task(for_ever(authority.follow)))
    tasks += [asyncio.create_task(for_ever(work)) for work in also]
    if isinstance(at, FollowedClock):
        tasks.append(asyncio.create_task(for_ever(at.follow)))
    await signals.wait()
    log.info("stopping: nothing new is taken; what is in the journal is finished")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    worker.stop()
    await asyncio.to_thread(thread.join)


def _work(worker: Worker) -> None:
    name_this_thread("worker")
    asyncio.run(worker.run())


def judge_again(settings: Settings, *, wait_s: float) -> int:
    """Mark what was judged by another configuration than today's; whoever judges (ingest too) takes it up. How many series."""
    with wiring.registry(settings, wait_s=wait_s, making=True) as (_, run):
        config = read_qc(settings.config)
        return int(run(lambda db: db.judge_again(but=config.hash)))


async def judge(settings: Settings, *, wait_s: float, signals: Signals, started: Started, once: bool = False) -> int:
    """`canhman judge`: judge what is dirty, until stopped or (`once`) until nothing is. Returns rows judged."""
    db = wiring.database(settings, wait_s=wait_s)
    config = qc(settings)
    store = wiring.store(settings, shared=True, journalled=False)
    seat = JudgeSeat(wiring.data_folder(settings), db)
    total = 0
    try:
        await wiring.patient(store.open, wait_s=wait_s, say=log.warning)
        if not await seat.take():
            other = await seat.other()
            where = f"at {other}, with this database" if other else "on this CANHMAN_DATA"
            raise RefusedError(f"another judge runs {where} (an ingest judges too unless it has --no-judge); stop it first")
        started("judging")
        config.on_hangup(signals)
        health = Health(tell)
        while not signals.stopped:
            try:
                done = await sweep(db, store, config.current, go_on=seat.take) if await seat.take() else Sweep(series=0, judged=0, changed=0, cleared=0)
            except (UnavailableError, RefusedError) as error:
                if once:
                    raise
                health.red("store or database", str(error))
            else:
                health.green("store or database")
                total += done.judged
                if once and not done.series:
                    break
                if done.series:
                    log.info("judged", series=done.series, rows=done.judged, changed=done.changed, cleared=done.cleared)
            if not once:
                heartbeat.write(wiring.data_folder(settings), "judge", health.troubles, {"judged": total})
                await signals.wait(1.0)
    finally:
        await seat.release()
        await store.close()
        db.close()
    return total
