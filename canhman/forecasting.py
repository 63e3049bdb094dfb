"""`canhman forecast`: issues what is due, on the installation's clock, mirrors it for Grafana, scores what is over, and has models learn when they are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from adapters.sql.database import SqlDatabase
from analytics.forecast_config import ForecastConfig
from analytics.issuing import PATIENCE_MS, Issuer, Round
from analytics.mirroring import Mirroring
from analytics.readings import QUANTITY
from analytics.scoring import Scorer, water_limits
from canhman import heartbeat, wiring
from canhman.clocks import FollowedClock
from canhman.configuration import read_crops, read_forecast, read_risk
from canhman.drifting import of_database
from canhman.judge_lock import JudgeLock
from canhman.lessons import codes
from canhman.loops import for_ever, tell, unless_stopped
from canhman.reloading import Reloaded
from canhman.settings import Settings
from canhman.signals import Signals
from canhman.speaking import Speakers
from canhman.terminal import Doubt
from canhman.train_schedule import Schedule, learned_at
from canhman.training import model_files
from core.clock import Clock, local, rfc3339
from core.errors import ConfigError, RefusedError, UnavailableError
from core.forecast import TARGETS, Forecast
from core.ports import ModelFiles
from core.risk import Risk
from ingest.health import Health

log = structlog.get_logger()

POLL_S = 1.0
PATIENCE_S = 10.0  # for one answer of the store: a read is of a few points
FAULT_AGAIN_S = 600.0  # after a fault of ours in scoring: each try logs a trace
MIRROR_AGAIN_S = 10.0  # after a failed try: a server that is away costs seconds to ask
DRIFT_EVERY_S = 600.0  # between two looks at whether models still do as they did
OLDEST_AT_ONCE = 50  # series whose first reading is asked for at once

Moved = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    db: SqlDatabase
    store: wiring.Store
    clock: Clock
    speakers: Speakers
    files: ModelFiles

    def issuer(self, config: ForecastConfig, *, patience_ms: int = PATIENCE_MS) -> Issuer:
        """With the models that speak now."""
        return Issuer(database=self.db, store=self.store, clock=self.clock, models=self.speakers.models, drivers=config.drivers, patience_ms=patience_ms)

    def mirroring(self, risk: Risk) -> Mirroring:
        """Of what may be told by these numbers."""
        return Mirroring(self.db, self.store, self.clock, max_age_h=risk.forecast_max_age_h)

    def scorer(self, settings: Settings) -> Scorer:
        """At the lines, and at crops' limits as they are at its start. Raises ConfigError."""
        return Scorer(database=self.db, store=self.store, clock=self.clock, limits=water_limits(read_crops(settings.config)))


async def forecast(settings: Settings, *, wait_s: float, signals: Signals, started: Callable[[str], None]) -> None:
    """Until a stop: issue what is due and mirror it. Raises only at start, while a server is missing or refuses us."""
    config = Reloaded(lambda: read_forecast(settings.config), lambda found: {"forecast": found.digest})
    config.on_hangup(signals)
    risk = Reloaded(lambda: read_risk(settings.config), lambda found: {"risk": found.hash})
    risk.on_hangup(signals)
    async with _opened(settings, wait_s) as parts, _alone(settings):
        service = _Service(settings, parts, config, risk)
        words = f"forecasting ({', '.join(dict.fromkeys(m.name for m in parts.speakers.models))}), it is {local(parts.clock.now_ms())}"
        started(Doubt("; ".join((words, *parts.speakers.troubles.values()))) if parts.speakers.troubles else words)
        beats = [asyncio.create_task(for_ever(service.beat))]
        if isinstance(parts.clock, FollowedClock):
            beats.append(asyncio.create_task(for_ever(parts.clock.follow)))
        try:
            while not signals.stopped:
                await unless_stopped(service.step(), signals)
                await signals.wait(POLL_S)
        finally:
            for task in beats:
                task.cancel()
            await asyncio.gather(*beats, return_exceptions=True)
            await service.end()


async def once(settings: Settings, *, wait_s: float, moved: Moved) -> Round:
    """Issue what is due now, mirror it, score what is over, and end. Raises UnavailableError, or RefusedError while the service runs."""
    async with _opened(settings, wait_s) as parts, _alone(settings):
        done = await parts.issuer(read_forecast(settings.config), patience_ms=0).round(moved=moved)  # there is no second round
        await parts.mirroring(read_risk(settings.config)).run()
        scorer = parts.scorer(settings)
        while await scorer.run() or scorer.waits:
            pass
        return done


async def hindcast(settings: Settings, at: int, *, station: str, wait_s: float, moved: Moved) -> list[Forecast]:
    """Issue as of a past instant [ms]. Raises ConfigError for one that has not come yet, NotFoundError for an unknown station."""
    async with _opened(settings, wait_s) as parts:
        now = parts.clock.now_ms()
        if at > now:
            raise ConfigError(f"--at {rfc3339(at)} has not come yet (it is {rfc3339(now)}); what is due now is issued by canhman forecast --once")
        return await parts.issuer(read_forecast(settings.config)).hindcast(at, station=station, moved=moved)


@asynccontextmanager
async def _opened(settings: Settings, wait_s: float) -> AsyncIterator[_Parts]:
    db = wiring.database(settings, wait_s=wait_s)
    store = wiring.store(settings, shared=True, journalled=False, patience_s=PATIENCE_S)
    try:
        clock = await wiring.clock(settings, db)
        await wiring.patient(store.open, wait_s=wait_s, say=log.warning)
        files = model_files(settings)
        speakers = Speakers(files)
        await speakers.look()
        for trouble in speakers.troubles.values():
            log.warning("a trained model cannot be read", why=trouble)
        yield _Parts(db=db, store=store, clock=clock, speakers=speakers, files=files)
    finally:
        await store.close()
        db.close()


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[None]:
    """Two that issue at once would put every forecast into the record twice. Raises RefusedError where another does."""
    lock = JudgeLock(wiring.data_folder(settings), "forecast.lock")
    if not lock.take():
        raise RefusedError("another canhman forecast (or up, or demo) issues for this CANHMAN_DATA; stop it first, or leave it to it")
    try:
        yield
    finally:
        lock.release()


class _Service:
    """One step after the other; what goes wrong is told once, and tried again."""

    def __init__(self, settings: Settings, parts: _Parts, config: Reloaded[ForecastConfig], risk: Reloaded[Risk]) -> None:
        self._folder = wiring.data_folder(settings)
        self._parts = parts
        self._config = config
        self._used = config.current
        self._issuer = parts.issuer(config.current)
        self._codes = codes()
        self._schedule = Schedule(settings, parts.clock, newest=self._newest, enough=self._enough)
        self._drift_at = self._learn_at = 0.0
        self._risk = risk
        self._mirroring = parts.mirroring(risk.current)
        self._mirror_at = 0.0
        self._scorer = parts.scorer(settings)
        self._score_at = 0.0
        self._health = Health(tell)
        self._told: set[tuple[str, ...]] = set()  # which models failed where, as far as it is in the log
        self._figures = dict.fromkeys(("issued", "mirrored", "scored", "points", "points_read", "last_round_ms", "trainings", "drifting", "trained"), 0)

    async def step(self) -> None:
        """Who speaks now; what is due, then what is not mirrored yet, then a part of what is not scored yet; then whether models drift, or should learn."""
        await self._follow()
        await self._issue()
        if time.monotonic() >= self._mirror_at:
            await self._mirror()
        if time.monotonic() >= self._score_at:
            await self._score()
        if time.monotonic() >= self._drift_at:
            self._drift_at = time.monotonic() + DRIFT_EVERY_S
            await self._drift()
        if time.monotonic() >= self._learn_at:
            await self._learn()

    async def end(self) -> None:
        """End what runs beside us."""
        await self._schedule.stop()

    async def beat(self) -> None:
        """Until cancelled: say how it is, each two seconds."""
        while True:
            await asyncio.to_thread(heartbeat.write, self._folder, "forecast", self._health.troubles, dict(self._figures), self._parts.speakers.who)
            await asyncio.sleep(heartbeat.EVERY_S)

    async def _issue(self) -> None:
        begun = time.monotonic()
        try:
            done = await self._issuer.round()
        except (UnavailableError, RefusedError) as error:
            self._health.red("store or database", str(error))
            return
        except Exception as error:  # a service outlives its own faults; the trace is in the log
            log.exception("a fault in a round of forecasts")
            self._health.red("forecast", f"a fault of ours, see the log: {error}")
            await asyncio.sleep(MIRROR_AGAIN_S)
            return
        self._health.green("store or database")
        self._health.green("forecast")
        if done.points:
            self._figures["points"] = done.points
            self._figures["issued"] += done.issued
            self._figures["points_read"] += done.read
            self._figures["last_round_ms"] = round(1000 * (time.monotonic() - begun))
            for fault in done.faults:
                mark = (fault.model, fault.version, type(fault.error).__name__, *getattr(fault.error, "__notes__", ()))
                if mark not in self._told:  # what goes on from hour to hour is told once; the heartbeat says that it does
                    log.error("a model failed; the next one spoke", model=fault.model, version=fault.version, exc_info=fault.error)
                    self._told.add(mark)
            self._tell("model", "; ".join(f"{f.model} {f.version} failed, see the log: {f.error}" for f in done.faults))
        if done.withdrawn:
            why = "what they were made of was found bad, or a day's new highest is under its lowest"
            log.warning(f"forecasts were taken back: {why}; nothing is said in their place yet", forecasts=done.withdrawn)
        if done.issued:
            log.info("forecasts issued", issued=done.issued, due=done.due, points=done.points, read=done.read, ms=self._figures["last_round_ms"])

    async def _mirror(self) -> None:
        self._mirroring.max_age_h = self._risk.current.forecast_max_age_h
        try:
            self._figures["mirrored"] += await self._mirroring.run()
        except (UnavailableError, RefusedError) as error:
            self._health.red("mirror", str(error))
            self._mirror_at = time.monotonic() + MIRROR_AGAIN_S
        else:
            self._tell("mirror", self._mirroring.refused)

    async def _score(self) -> None:
        try:
            self._figures["scored"] += await self._scorer.run()
        except (UnavailableError, RefusedError) as error:
            self._health.red("record", str(error))
            self._score_at = time.monotonic() + MIRROR_AGAIN_S
        except Exception as error:  # a fault in scoring keeps no forecast from being issued; the trace is in the log
            log.exception("a fault while scoring forecasts")
            self._health.red("record", f"a fault of ours, see the log: {error}")
            self._score_at = time.monotonic() + FAULT_AGAIN_S
        else:
            self._health.green("record")
            for anew in self._scorer.anew:
                log.info("scored anew: a day's readings are others than they were", station=anew.station, point=anew.point, since=rfc3339(anew.time))
            self._scorer.anew.clear()

    async def _follow(self) -> None:
        """The models that speak, and the drivers they are told."""
        changed = await self._parts.speakers.look()
        if self._used.drivers != self._config.current.drivers:
            self._used = self._config.current
            self._issuer = self._parts.issuer(self._used)
        elif changed:
            self._issuer.models = self._parts.speakers.models
        if changed:
            self._drift_at = 0.0
            self._told.clear()
            log.info("who speaks has changed", models=[f"{m.name} {m.version} ({', '.join(m.targets)})" for m in self._parts.speakers.models])
        self._figures["trained"] = len(self._parts.speakers.cards)
        for target in TARGETS:
            self._tell(f"model {target}", self._parts.speakers.troubles.get(target, ""))

    async def _drift(self) -> None:
        """Whether models still do as they did."""
        try:
            drifts = await of_database(self._parts.db, self._parts.speakers.cards, self._parts.clock.now_ms())
        except (UnavailableError, RefusedError) as error:
            self._health.red("drift", str(error))
        except Exception as error:  # no card may keep forecasts from being issued; the trace is in the log
            log.exception("a fault while drift was looked for")
            self._health.red("drift", f"a fault of ours, see the log: {error}")
        else:
            self._figures["drifting"] = len(drifts)
            self._tell("drift", "; ".join(f"{drift.target}: {drift.words}" for drift in drifts))

    async def _learn(self) -> None:
        """Costs nothing where nothing is due."""
        try:
            await self._schedule.step(self._config.current.training)
        except (UnavailableError, RefusedError) as error:
            self._health.red("training", str(error))
        except Exception as error:  # as above
            log.exception("a fault while a training was begun")
            self._health.red("training", f"a fault of ours, see the log: {error}")
            self._learn_at = time.monotonic() + FAULT_AGAIN_S
        else:
            self._figures["trainings"] = self._schedule.runs
            self._tell("training", self._schedule.trouble)

    def _tell(self, part: str, trouble: str) -> None:
        if trouble:
            self._health.red(part, trouble)
        else:
            self._health.green(part)

    async def _newest(self) -> dict[str, int]:
        """When each target was last learned, by today's code [ms]."""
        return learned_at(await self._parts.files.cards(), self._codes)

    async def _enough(self, before: int) -> bool:
        """Whether any salinity was read before an instant [ms]."""
        keys = [s.key for s in await self._parts.db.states() if s.key.quantity == QUANTITY]
        for first in range(0, len(keys), OLDEST_AT_ONCE):
            if len(await self._parts.store.read(keys[first : first + OLDEST_AT_ONCE], 0, before, limit=1)):
                return True
        return False
