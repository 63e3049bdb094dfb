"""`canhman train`'s work: a candidate for each target, scored on days that none had seen, kept with its card, and promoted where it is better."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from adapters.model_folder import ModelFolder
from analytics.daily.dataset import Dataset
from analytics.forecast_config import Training
from analytics.history import local_date
from analytics.packing import packed, unpacked
from analytics.promotion import judge
from canhman import backtesting, wiring
from canhman.configuration import read_forecast
from canhman.judge_lock import JudgeLock
from canhman.lessons import TARGETS, codes, lesson, of_other_code
from canhman.settings import Settings
from canhman.training_data import Known, from_store, holds_salinity
from canhman.usage import one_of
from core.clock import rfc3339
from core.errors import CanhManError, FormatError, NotFoundError, RefusedError, UnavailableError
from core.model_card import ModelCard
from core.ports import ModelFiles

log = structlog.get_logger()

FOLDER, LOCK = "models", "train.lock"
STEPS = 4  # of each target

Bar = Callable[[int, str], None]
Now = Callable[[], Awaitable[int]]  # the installation's clock [ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one target: `card` is None where nothing was learned, `fault` where something went wrong."""

    target: str
    promoted: bool
    why: str
    card: ModelCard | None = None
    fault: bool = False


def model_files(settings: Settings) -> ModelFolder:
    """The trained models of this installation."""
    return ModelFolder(wiring.data_folder(settings) / FOLDER)


async def known_of_store(settings: Settings, *, wait_s: float, moved: Callable[[int, int], None]) -> Known:
    """All good readings of the installation up to now. Raises NotFoundError where there is no installation, UnavailableError."""
    rules = read_forecast(settings.config)
    db = wiring.existing_database(settings)
    store = wiring.store(settings, shared=True, journalled=False)
    try:
        await wiring.patient(store.open, wait_s=wait_s, say=log.warning)
        clock = await wiring.clock(settings, db)
        return await from_store(db, store, rules.drivers, clock.now_ms(), moved=moved)
    finally:
        await store.close()
        db.close()


def datasets(file: Path, data: Path | None, targets: Sequence[str]) -> dict[str, Dataset]:
    """The dataset for each target: its days' highest or lowest, or its readings. Raises ConfigError, FormatError."""
    spec = backtesting.read_spec(file)
    return {target: holds_salinity(backtesting.load(replace(spec, daily="min" if target == "day_min" else "max"), file, data)) for target in targets}


def checked(targets: Sequence[str]) -> tuple[str, ...]:
    """Those asked for, all where none is; in our order. Raises UsageError."""
    for target in targets:
        one_of("--target", target, TARGETS)
    return tuple(target for target in TARGETS if not targets or target in targets)


async def train(settings: Settings, known: Known, *, targets: Sequence[str], sets: dict[str, Dataset], force: bool, bar: Bar) -> list[Outcome]:
    """One target after the other; what goes wrong with one is its outcome. Raises RefusedError while another training runs here."""
    rules = read_forecast(settings.config).training
    files = model_files(settings)
    lock = JudgeLock(wiring.data_folder(settings), LOCK)
    if not lock.take():
        raise RefusedError("another canhman train runs on this CANHMAN_DATA (the forecast service starts it when it is due): wait for its end")
    try:
        found, now = [], partial(_now, settings, known.at)
        for n, target in enumerate(targets):
            try:
                moved = partial(_moved, bar, STEPS * n)
                found.append(await _one(files, known, target, sets.get(target), rules, now=now, force=force, bar=moved))
            except CanhManError as error:  # the other targets learn all the same
                found.append(Outcome(target=target, promoted=False, why=f"nothing is promoted: {error}", fault=True))
            except Exception as error:  # likewise; the trace is in the log
                log.exception("a fault in a training", target=target)
                found.append(Outcome(target=target, promoted=False, why=f"a fault of ours, nothing is promoted: {error!r}", fault=True))
        return found
    finally:
        lock.release()


def _moved(bar: Bar, before: int, step: int, what: str) -> None:
    bar(before + step, what)


async def _now(settings: Settings, otherwise: int) -> int:
    """The installation's clock, read again: a training takes minutes. `otherwise` where the database is away."""
    try:
        db = wiring.existing_database(settings)
        try:
            return (await wiring.clock(settings, db)).now_ms()
        finally:
            db.close()
    except UnavailableError:
        return otherwise


async def _one(files: ModelFiles, known: Known, target: str, learned_from: Dataset | None, rules: Training, *, now: Now, force: bool, bar: Bar) -> Outcome:
    found = lesson(known, target, learned_from, rules)
    if isinstance(found, str):
        return Outcome(target=target, promoted=False, why=found)
    draft = found.draft
    spoke, doubt = await _spoken(files, target)
    if not force and not doubt and (before := await _same(files, draft, found.code)) is not None:
        why = f"nothing new to learn from since {before.version}: the same days until {before.data_until} (--force learns them again)"
        return Outcome(target=target, promoted=False, why=why)
    bar(0, f"{target}: {draft.model} learns, {draft.rows} rows")
    content = packed(found.fit())
    fitted = unpacked(content)  # what is scored is what will speak
    asked = found.exam(spoke.seen)  # days that the one that speaks has learned from do not count
    bar(1, f"{target}: the baselines are asked")
    references = found.references(asked)
    bar(2, f"{target}: both models are asked")
    theirs = None
    if spoke.fitted is not None:
        try:
            theirs = asked.sat(spoke.fitted)
        except Exception as error:  # it speaks no more: nothing may keep it in its place
            log.exception("a fault of the model that speaks", target=target, version=spoke.version)
            doubt = f"the one that spoke could not be asked, see the log: {error!r}"
    verdict = judge(asked.sat(fitted), theirs, references, asked.came, near=asked.near, day=asked.day, since=asked.since, until=asked.until)
    bar(3, f"{target}: it is kept")
    digest = hashlib.sha256(content).hexdigest()
    version = f"{found.code}.{local_date(known.at, found.zone):%Y%m%d}-{digest[:6]}"
    used = found.uses(fitted)
    card = replace(draft, version=version, held_out=verdict.held_out, drivers=used.drivers, unused=used.unused)
    kept = await _kept(files, card, content, spoke.card)
    if kept.version == spoke.version:
        mended = "; its files were damaged, and are written anew" if spoke.fitted is None else ""
        return Outcome(target=target, promoted=False, why=f"it is the model that speaks already, to the bit{mended}", card=kept)
    why = verdict.why + (f"; {doubt}" if doubt else "")
    spoken = await files.promote(kept, at=max(await now(), known.at), why=why) if verdict.better else await files.note(kept, why=why)
    return Outcome(target=target, promoted=verdict.better, why=why, card=spoken)


async def _same(files: ModelFiles, draft: ModelCard, code: str) -> ModelCard | None:
    """The newest model of the target that was judged, where this code learned it from just these values and its file is whole."""

    def seen(card: ModelCard) -> tuple[object, ...]:
        return card.model, card.data_from, card.data_until, card.stations, tuple(sorted((*card.drivers, *card.unused))), card.rows, card.source

    newest = next((c for c in await files.cards() if c.target == draft.target and c.why), None)
    if newest is None or (newest.code, newest.inputs) != (code, draft.inputs) or seen(newest) != seen(draft):
        return None
    try:
        await files.content(newest)
    except (FormatError, NotFoundError):
        return None
    return newest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoke:
    """Whose word it is by the folder, and what it can be asked with; None where that is nobody, or cannot be read or counted."""

    card: ModelCard | None = None
    fitted: Any = None

    @property
    def version(self) -> str:
        return "" if self.card is None else self.card.version

    @property
    def seen(self) -> str:
        """The last local day it learned from, where it can be asked."""
        return "" if self.card is None or self.fitted is None else self.card.data_until


async def _spoken(files: ModelFiles, target: str) -> tuple[_Spoke, str]:
    """The model that speaks; and why it does not count, in words, where one should and cannot: a file is damaged, or it is of other code."""
    card = None
    try:
        card = await files.speaking(target)
        if card is None:
            return _Spoke(), ""
        if of_other_code(card, codes()):
            return _Spoke(card=card), f"the one that spoke, {card.version}, is of other code and does not count"
        return _Spoke(card=card, fitted=unpacked(await files.content(card))), ""
    except (FormatError, NotFoundError) as error:
        return _Spoke(card=card), f"the one that spoke could not be asked: {error}"


async def _kept(files: ModelFiles, card: ModelCard, content: bytes, speaks: ModelCard | None) -> ModelCard:
    """The same model may be there: one that was not told of before a kill, or learned again by force, or because its file is damaged."""
    digest = hashlib.sha256(content).hexdigest()
    known = [*await files.cards(), *([] if speaks is None else [speaks])]
    there = next((c for c in known if (c.target, c.code, c.sha256) == (card.target, card.code, digest)), None)
    if there is None:
        return await files.keep(card, content)
    try:
        await files.content(there)
    except (FormatError, NotFoundError):
        return await files.keep(there, content)
    return there


def shape(outcome: Outcome) -> dict[str, Any]:
    """For --json and the log."""
    card = outcome.card
    head = {"target": outcome.target, "promoted": outcome.promoted, "why": outcome.why}
    return head if card is None else head | {name: value for name, value in card_shape(card).items() if name not in head}


def card_shape(card: ModelCard) -> dict[str, Any]:
    """For --json: times as the API and the tables have them."""
    times = {"trained_at": card.trained_at, "promoted_at": card.promoted_at}
    return asdict(card) | {name: None if ms is None else rfc3339(ms) for name, ms in times.items()}


def listed(settings: Settings) -> tuple[list[ModelCard], list[str]]:
    """All cards, the newest first, and what cannot be read. Raises NotFoundError where there is no installation."""
    if not settings.data.is_dir():
        raise NotFoundError(wiring.no_installation(settings))
    return model_files(settings).look()


def be_modest() -> None:
    """Leave the processor to whoever else wants it."""
    os.nice(15)


def end_with_input() -> None:
    """End this process when its standard input does: the service holds the other end, and after a kill -9 too nobody waits for us."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    threading.Thread(target=watch, name="attended", daemon=True).start()
