"""Tails in memory: which series are judged together, what is kept, and what is given up when it is too much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adapters.memory_store import MemoryStore
from canhman.configuration import read_qc
from core.batch import Batch
from core.series import SeriesKey
from quality import tails as module
from quality.flagging import WriteFlags
from quality.links import Links
from quality.rules import Rules
from quality.tails import NEVER, Tails

T = 1_772_420_400_000
MIN = 60_000
EC = SeriesKey("default", "kl01", "main", "kl01", "water.ec")


def keys_of(station: str, *quantities: str) -> list[SeriesKey]:
    return [EC._replace(station=station, sensor=station, quantity=q) for q in quantities]


def test_links_by_derivation() -> None:
    """Series derived from one another have one root, also where the source comes later; a source alone links nothing; other sensors are apart."""
    keys = keys_of("a", "water.salinity", "water.level", "water.temperature")
    rules = Rules(read_qc(None), keys)
    links = Links(rules)
    assert links.grow()
    assert len(set(links.root.tolist())) == 3
    assert links.judged_here.tolist() == [True, False, False], "a flat line is looked for in salinity"
    keys += keys_of("a", "water.ec") + keys_of("b", "water.ec", "water.salinity")
    assert links.grow()
    assert links.root[0] == links.root[3]
    assert links.root[4] == links.root[5]
    assert len(set(links.root.tolist())) == 4
    keys += keys_of("a", "water.ec_raw")
    links.grow()
    assert len({int(links.root[i]) for i in (0, 2, 3, 6)}) == 1, "conductivity from raw and temperature, salinity from it"
    assert links.judged_here.tolist() == [True, False, True, True, True, True, True]
    assert not links.grow()


def rows(series: list[int], times: list[int], value: float = 5.0, flag: int = 1) -> Batch:
    return Batch.of(series, times, [value] * len(series), flag=[flag] * len(series)).last_wins()


def to(store: MemoryStore, *, may: bool = True) -> WriteFlags:
    """Flags into this store, while nobody rewrites it."""

    async def write(rows: Batch, keys: Sequence[SeriesKey]) -> bool:
        if may:
            await store.write_flags(rows, keys)
        return may

    return write


def settled(tails: Tails) -> Any:
    found = asyncio.run(tails.settle(to(MemoryStore())))
    judged = found.judged.tolist()
    tails.committed()
    return judged


def test_only_what_is_looked_back_at_is_kept() -> None:
    """Nine hours of the series with a window test, nothing of the others."""
    keys = keys_of("a", "water.ec", "water.level")
    tails = Tails(Rules(read_qc(None), keys), {})
    for n in range(100):
        tails.wrote(rows([0, 1], [T + n * 15 * MIN] * 2))
        assert settled(tails) == [True, True]
    assert tails._rows.series.tolist() == [0] * 37
    assert tails._rows.time.tolist() == [T + n * 15 * MIN for n in range(63, 100)]


def test_the_densest_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the series with most rows is read back instead; the other one is judged on."""
    monkeypatch.setattr(module, "MOST_ROWS", 50)
    keys = [*keys_of("a", "water.ec"), *keys_of("b", "water.ec")]
    tails = Tails(Rules(read_qc(None), keys), {})
    for n in range(60):
        tails.wrote(rows([0], [T + n * MIN]))
        if n % 15 == 0:
            tails.wrote(rows([1], [T + n * MIN]))
        judged = settled(tails)
        assert len(tails._rows) <= 50
    assert judged == [False, True]


def test_a_second_store_that_fails_changes_nothing() -> None:
    """Where the flags could not be written everything is as before, and the next time it is done."""
    keys = keys_of("a", "water.ec")
    tails = Tails(Rules(read_qc(None), keys), {})
    tails.wrote(rows([0] * 30, [T + n * 15 * MIN for n in range(30)]))
    store = MemoryStore(away="gone")
    with pytest.raises(Exception, match="gone"):
        asyncio.run(tails.settle(to(store)))
    assert tails.waiting == 30
    store.away = ""
    found = asyncio.run(tails.settle(to(store)))
    assert (found.judged.tolist(), found.flag.tolist()) == ([True], [4])
    assert found.good_time.tolist() == [T + 11 * 15 * MIN]


def test_flags_that_may_not_be_written_leave_the_series_unjudged() -> None:
    """Somebody rewrites the store: nothing is judged in memory, and what was written is read back."""
    keys = keys_of("a", "water.ec")
    tails = Tails(Rules(read_qc(None), keys), {})
    tails.wrote(rows([0] * 30, [T + n * 15 * MIN for n in range(30)]))
    found = asyncio.run(tails.settle(to(MemoryStore(), may=False)))
    assert (found.judged.tolist(), tails.waiting, tails.judged) == ([False], 0, 0)


def test_what_the_round_hands_over_replaces_the_tail() -> None:
    """Of keys of the table, with its numbers; keys it does not have, and series without a window, are passed over."""
    keys = keys_of("a", "water.level", "water.ec")
    known = dict.fromkeys(keys, (T + 30 * MIN, 0))
    tails = Tails(Rules(read_qc(None), keys), known)
    tails.wrote(rows([0, 1], [T + 45 * MIN] * 2))
    assert settled(tails) == [True, False], "its last hours are in the store alone"
    foreign = keys_of("z", "water.ec")
    tails.learn([*foreign, keys[1], keys[0]], rows([0, 1, 1, 2], [T, T, T + 30 * MIN, T]), T - 540 * MIN)
    tails.wrote(rows([0, 1], [T + 60 * MIN] * 2))
    assert settled(tails) == [True, True]
    assert tails._rows.time.tolist() == [T, T + 30 * MIN, T + 60 * MIN]
    assert set(tails._rows.series.tolist()) == {1}


def test_nothing_is_believed_after_forget() -> None:
    """What waits and what comes next is read back, until the tails reach back far enough again."""
    keys = keys_of("a", "water.ec", "water.level")
    tails = Tails(Rules(read_qc(None), keys), {})
    tails.wrote(rows([0, 1], [T] * 2))
    tails.forget()
    assert settled(tails) == [False, True]
    tails.wrote(rows([0], [T + 8 * 60 * MIN]))
    assert settled(tails)[0] is False
    tails.wrote(rows([0], [T + 9 * 60 * MIN + 1]))
    assert settled(tails)[0] is True
    assert np.all(tails._since[:1] > NEVER)
