"""The judge: every QC test over a block, rolled up to one flag per row. One function for live data and for batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.agreement import RELATIONS
from core.batch import Batch
from core.flags import CLOCK_BIT, GIVEN_BITS, INHERITED_BIT, WITHDRAWN_BIT, Flag, roll_up
from quality.qc import Block, Context, QcTest, place
from quality.rules import Rules

Flags = NDArray[np.uint8]
Bits = NDArray[np.int64]

_GIVEN_MASK = np.int64(sum(1 << bit for bit in GIVEN_BITS.values() if bit != INHERITED_BIT))


def judge(batch: Batch, rules: Rules, *, tests: Iterable[QcTest] | None = None, asked: NDArray[np.bool_] | None = None) -> tuple[Flags, Bits]:
    """Flags and test bits for every row of `batch`, which is sorted by (series, time) with each identity once.

    A pure function of time, value, arrival and the given bits (clock, withdrawn) of the rows: the flags a row carried before
    play no part, and a withdrawn row none for the others. Rows whose context lies outside the block are judged by what is
    there, so a caller that cut a block out of a longer series uses only the rows that had theirs (`context`), and may say
    which those are: `asked` (n,), by time for all series that are linked; what is returned for the others means nothing.
    NaN is 9. Returns flag (n,), tests (n,).
    """
    rules.grow()
    flags = np.full(len(batch), Flag.MISSING, dtype=np.uint8)
    bits: Bits = batch.tests & _GIVEN_MASK
    withdrawn = (bits >> WITHDRAWN_BIT) & 1 == 1
    present = np.flatnonzero(np.isfinite(batch.value) & ~withdrawn)
    whole = len(present) == len(batch)
    used = list(rules.config.tests.values() if tests is None else tests)
    flags[present], found = _run(batch if whole else batch.take(present), rules, used, asked if asked is None or whole else asked[present])
    bits[present] |= found
    clock = (bits >> CLOCK_BIT) & 1 == 1
    flags[clock] = roll_up(flags[clock], np.full(int(clock.sum()), Flag.SUSPECT, dtype=np.uint8))
    flags[withdrawn] = Flag.MISSING
    _inherit(batch, rules, flags, bits, withdrawn, asked)
    return flags, bits


def _run(batch: Batch, rules: Rules, tests: list[QcTest], asked: NDArray[np.bool_] | None) -> tuple[Flags, Bits]:
    block = Block.of(batch, asked)
    if any(test.beside for test in tests):
        met = ((relation, *_beside(batch, block.place, sources, asked)) for relation, sources in zip(RELATIONS, rules.related, strict=True))
        block = replace(block, beside=[one for one in met if len(one[1])])
    flags = np.full(len(batch), Flag.NOT_EVALUATED, dtype=np.uint8)
    bits: Bits = np.zeros(len(batch), dtype=np.int64)
    for test in tests:
        verdict = test.run(block, rules.params(test.name, batch.series))
        flags = roll_up(flags, verdict)
        bits |= ((verdict == Flag.SUSPECT) | (verdict == Flag.FAIL)).astype(np.int64) << test.bit
    return flags, bits


def _inherit(batch: Batch, rules: Rules, flags: Flags, bits: Bits, withdrawn: NDArray[np.bool_], asked: NDArray[np.bool_] | None) -> None:
    """A derived value is no better than its sources at the same time: their worst flag, with bit `inherited`.

    Only where every source stands beside it: else it was not derived but sent, and a doubtful thermometer is no word
    about a conductivity that came without its raw value. A raw conductivity alone is a word about a salinity: one cell.
    """
    places = place(batch.series, batch.time)
    inherited = [(sources, True) for sources in rules.sources]  # in the order of DERIVED: what is derived twice inherits twice
    inherited += [(sources, False) for relation, sources in zip(RELATIONS, rules.related, strict=True) if relation.inherits]
    for sources, is_derived in inherited:
        rows, found = _beside(batch, places, sources, asked)
        for at in found:
            gone = withdrawn[at] & is_derived
            worse = (flags[at] == Flag.SUSPECT) | (flags[at] == Flag.FAIL)
            flags[rows[worse]] = roll_up(flags[rows[worse]], flags[at[worse]])
            flags[rows[gone]] = Flag.MISSING
            bits[rows[worse | gone]] |= np.int64(1) << INHERITED_BIT
            withdrawn[rows[gone]] = True


def _beside(
    batch: Batch, places: NDArray[np.int64], sources: NDArray[np.int32], asked: NDArray[np.bool_] | None
) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """The rows asked for whose sources all have a row at the same time, and for each source where those rows are."""
    derived = (sources.min(axis=1) >= 0)[batch.series]
    rows = np.flatnonzero(derived if asked is None else derived & asked)
    found: list[NDArray[np.intp]] = []
    for column in sources.T if len(rows) else ():
        wanted = place(column[batch.series[rows]], batch.time[rows])
        at = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
        met = places[at] == wanted
        rows, found = rows[met], [earlier[met] for earlier in (*found, at)]
    return rows, found


def row_tests(rules: Rules) -> list[QcTest]:
    """The tests that need no context: ingest runs them before the first write."""
    return [test for test in rules.config.tests.values() if test.is_row_test]


def context(tests: Iterable[QcTest]) -> tuple[Context, Context]:
    """The largest `before` and `after` of `tests`."""
    tests = list(tests)
    before = Context(samples=max((t.before.samples for t in tests), default=0), hours=max((t.before.hours for t in tests), default=0.0))
    after = Context(samples=max((t.after.samples for t in tests), default=0), hours=max((t.after.hours for t in tests), default=0.0))
    return before, after
