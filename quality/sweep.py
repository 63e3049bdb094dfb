"""The judge's round: whatever was written since it last passed is read back from the store, judged, and cleared.

One mechanism for late data, backlogs and restarts (and for all data where `quality.tails` does not judge it at once): flags
are a function of what the store holds, so any split, order of arrival, duplicate or restart ends in the flags of the batch
form. `series_state.dirty_from` wakes it. Many groups of series are read and judged together, in one block of columns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.ports import SeriesStore, States
from core.state import Judged, SeriesState
from quality.blocks import Learn
from quality.round import Round
from quality.rules import QcConfig

BLOCK_ROWS = 50_000
TOGETHER = 600  # series read at once: what a call to the store costs by itself is small beside them
DAY_MS = 86_400_000
ANSWERS = 3_000  # series answered in one transaction: its fsync costs more than judging a hundred
FEW_STATIONS = 50  # up to so many are asked for one by one

GoOn = Callable[[], Awaitable[bool]]
"""Asked between blocks: whether this process is still the judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one round did: series looked at, rows judged, rows whose flag changed, series cleared."""

    series: int
    judged: int
    changed: int
    cleared: int


async def sweep(
    states: States, store: SeriesStore, config: QcConfig, *, block_rows: int = BLOCK_ROWS, learn: Learn | None = None, go_on: GoOn | None = None
) -> Sweep:
    """Judge every dirty series once. Raises what the store or the database raise; what had no answer yet stays dirty then.

    `learn` hears what was read of each series up to its end.
    """
    rewritten = await states.rewriting()  # before anything is read: an answer to what stood before a rewriting must not undo it
    dirty = await states.dirty()
    judged = changed = cleared = 0
    answers: list[Judged] = []
    for groups in _together(await _groups(states, dirty)):
        if go_on is not None and not await go_on():
            break
        round_ = Round(groups, states, store, config, block_rows, learn)
        answers += await round_.run()
        judged += round_.judged
        changed += round_.changed
        if len(answers) >= ANSWERS:
            cleared += await _answer(states, store, answers, rewritten)
            answers = []
    cleared += await _answer(states, store, answers, rewritten)
    return Sweep(series=len(dirty), judged=judged, changed=changed, cleared=cleared)


async def _answer(states: States, store: SeriesStore, answers: Sequence[Judged], rewritten: int) -> int:
    """How many were cleared. The flags are safe on disk before the database says that they were written."""
    if not answers:
        return 0
    await store.flush()
    return await states.judged(answers, rewritten=rewritten)


def _group(state: SeriesState) -> tuple[str, str, str, str]:
    """Series that are judged together: a derived value needs its sources beside it."""
    return (state.key.station, state.key.point, state.key.sensor, state.key.quantity.split(".", 1)[0])


async def _groups(states: States, dirty: Sequence[SeriesState]) -> list[list[SeriesState]]:
    """Each group with a dirty series, with its clean ones, the one that was dirty from the latest time on first."""
    stations = {s.key.station for s in dirty}
    known: list[SeriesState] = []
    if len(stations) > FEW_STATIONS:
        known = await states.states()
    else:
        for station in sorted(stations):
            known += await states.states(station=station)
    wanted = {_group(s) for s in dirty}
    found = [list(members) for name, members in groupby(sorted(known, key=_group), key=_group) if name in wanted]
    return sorted((group for group in found if any(s.dirty_from is not None for s in group)), key=_since, reverse=True)


def _since(group: Sequence[SeriesState]) -> int:
    return min(s.dirty_from for s in group if s.dirty_from is not None)


def _together(groups: Sequence[list[SeriesState]]) -> Iterator[list[list[SeriesState]]]:
    """Groups for one block: not too many series, and none that is read from long before its own time because of another."""
    block: list[list[SeriesState]] = []
    size, first = 0, 0
    for group in groups:
        since = _since(group)
        if block and (size + len(group) > TOGETHER or first - since > DAY_MS):
            yield block
            block, size = [], 0
        if not block:
            first = since
        block.append(group)
        size += len(group)
    if block:
        yield block
