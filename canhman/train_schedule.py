"""When the forecast service lets models learn anew, and the process in which they do: one at a time, and it dies with the service."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from analytics.forecast_config import Training
from analytics.history import DAY_MS, local_date
from canhman import last_training
from canhman.last_training import LastTraining
from canhman.lessons import STORE, TARGETS, codes
from canhman.settings import PREFIX, Settings
from core.clock import Clock
from core.model_card import ModelCard

log = structlog.get_logger()

FIRST_S = 60.0  # after the start of the service: what it has to issue comes first
BETWEEN_S = 600.0  # real time between two trainings: a simulated clock may run fast
ONE_CORE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LOOK_S = 10.0  # between two looks at whether one is due
AGAIN_S = 3600.0  # after one that failed
ZONE = "Asia/Ho_Chi_Minh"  # of `hour`


def is_due(rules: Training, now: int, newest: int | None, tried: int | None) -> bool:
    """Whether a target is, by the installation's clock: `newest` is when it was last learned [ms], None where it never was; `tried` when the service last
    brought a training to its end.

    What was never learned, or not by this code, is learned at once, and where nothing came of it is tried again on the next day.
    """
    if rules.every_days == 0:
        return False
    today = datetime.fromtimestamp(now // 1000, ZoneInfo(ZONE))

    def days_since(ms: int | None) -> float:
        return math.inf if ms is None else (today.date() - local_date(ms, ZONE)).days

    if newest is None and tried is None:
        return True
    return today.hour >= rules.hour and days_since(newest) >= rules.every_days and days_since(tried) >= 1


def learned_at(cards: Iterable[ModelCard], codes: Mapping[str, str]) -> dict[str, int]:
    """When each target was last learned from the store and judged [ms]; without those that never were, or whose newest card is of other code than today's.

    `codes`: the version of each model's code, by name. What other code made does not speak, and its week is not waited for. What a kill left behind
    before it was judged cannot speak either.
    """
    newest: dict[str, ModelCard] = {}
    for card in cards:
        if card.source == STORE and card.why and (card.target not in newest or card.trained_at > newest[card.target].trained_at):
            newest[card.target] = card
    return {target: card.trained_at for target, card in newest.items() if codes.get(card.model) == card.code}


def due_targets(rules: Training, now: int, learned: Mapping[str, int], tried: int | None) -> tuple[str, ...]:
    """Each by its own newest model: a training that ended between two targets goes on with those it did not come to, and learns no other again."""
    return tuple(target for target in TARGETS if is_due(rules, now, learned.get(target), tried))


Newest = Callable[[], Awaitable[Mapping[str, int]]]
Enough = Callable[[int], Awaitable[bool]]


class Schedule:
    """`step` each second: starts `canhman train` of what is due, and hears of its end. `newest` asks when each target was last learned [ms].

    `enough` asks whether there are readings before an instant [ms]: an installation that is too young starts none. `trouble`: what went wrong, else empty.
    """

    def __init__(self, settings: Settings, clock: Clock, *, newest: Newest, enough: Enough) -> None:
        self._settings = settings
        self._clock = clock
        self._newest = newest
        self._enough = enough
        self._codes = codes()
        last = last_training.read(settings.data, self._codes)
        self._look_at = time.monotonic() + max(FIRST_S, last.waits_s(AGAIN_S))
        self._task: asyncio.Task[None] | None = None
        self._tried = last.tried  # by the installation's clock: a try that kept nothing is not made again at once
        self._not_before = last.not_before  # by the system's clock
        self.runs = 0
        self.trouble = ""

    @property
    def is_training(self) -> bool:
        """Whether a training runs."""
        return self._task is not None and not self._task.done()

    async def step(self, rules: Training) -> None:
        """Start one where it is due."""
        if self.is_training or time.monotonic() < self._look_at:
            return
        now = self._clock.now_ms()
        if self._tried is not None and self._tried > now:  # a clock that was set back
            self._tried = None
        targets = due_targets(rules, now, await self._newest(), self._tried)
        if not targets or not await self._enough(now - rules.least_days * DAY_MS):
            self._look_at = time.monotonic() + LOOK_S
            return
        self._later(BETWEEN_S, tried=None)  # what a stop or a kill ends is begun again as soon as it may
        self._tried = now
        self._task = asyncio.create_task(self._attempt(targets))

    def _later(self, after_s: float, *, tried: int | None) -> None:
        self._tried, self._look_at, self._not_before = tried, time.monotonic() + after_s, time.time() + after_s
        last_training.write(self._settings.data, LastTraining(not_before=self._not_before, tried=tried, codes=self._codes))

    async def stop(self) -> None:
        """End a training that runs; what it had not kept yet is learned again the next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _attempt(self, targets: Sequence[str]) -> None:
        """A training that cannot be begun, or whose answer cannot be read, failed like any other."""
        try:
            await self._run(targets)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.exception("a training could not be begun or understood")
            self._failed(f"a training failed ({type(error).__name__}: {error}); canhman train tells more")

    def _failed(self, trouble: str) -> None:
        self.trouble = trouble
        self._later(AGAIN_S, tried=None)

    async def _run(self, targets: Sequence[str]) -> None:
        self.runs += 1
        log.info("a training begins", targets=targets)
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", "canhman", "train", "--attended", "--json", *(word for target in targets for word in ("--target", target)))
        child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(self._settings))
        try:
            # its standard input is ours, and stays open: when this process is gone, however it went, that tells the child to end
            assert child.stdout is not None  # noqa: S101 both are pipes
            assert child.stderr is not None  # noqa: S101
            out, err = await asyncio.gather(child.stdout.read(), child.stderr.read())
            code = await child.wait()
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        self._heard(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def _heard(self, code: int, out: str, err: str) -> None:
        lines = [line for line in err.splitlines() if line.strip()]
        for line in lines:
            log.info("training", said=line.strip())
        if code:
            self._failed(f"a training failed (exit code {code}): {lines[-1].strip() if lines else 'it said nothing'}; canhman train tells more")
            return
        for outcome in json.loads(out):
            log.info("trained", target=outcome["target"], promoted=outcome["promoted"], version=outcome.get("version", ""), why=outcome["why"])
        self.trouble = ""
        last_training.write(self._settings.data, LastTraining(not_before=self._not_before, tried=self._tried, codes=self._codes))


def environment(settings: Settings) -> dict[str, str]:
    """Of a child that is to read just these settings, and to use one core."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | dict.fromkeys(ONE_CORE, "1")
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if plain is not None:
            found[PREFIX + name.upper()] = str(int(plain)) if isinstance(plain, bool) else str(plain)
    return found
