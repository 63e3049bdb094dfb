"""What a QC test is: a vectorised function over a block of series, its context, its bit and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.agreement import Relation
from core.batch import Batch
from core.clock import Y2000_MS

Floats = NDArray[np.float64]
HOUR_MS = 3_600_000

# A row's place in a block as one integer: series above, ms since 2000 below (42 bits reach the year 2139).
_TIME_BITS = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How much a test must see beside a sample: that many samples, and all samples within that many hours."""

    samples: int = 0
    hours: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows of one or more series, sorted by (series, time), each identity once.

    series (n,) int32; time (n,) int64 ms; value (n,) float64; place (n,) int64, rising: series and time in one number;
    first (n,) intp: the index of the first row of the row's series; asked (n,) bool: the rows whose flags are wanted, the
    others are there for context and a test may answer anything for them; received (n,) int64 ms; beside: for each relation the rows
    asked for that have all its sources at their time, and for each source where those are. Only for tests that look `beside`.
    """

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    value: Floats
    place: NDArray[np.int64]
    first: NDArray[np.intp]
    asked: NDArray[np.bool_]
    received: NDArray[np.int64]
    beside: Sequence[tuple[Relation, NDArray[np.intp], list[NDArray[np.intp]]]] = ()

    @classmethod
    def of(cls, batch: Batch, asked: NDArray[np.bool_] | None = None) -> Block:
        """The block of a sorted batch (see `Batch.last_wins`); `asked` is all of it where nothing is said."""
        n = len(batch)
        starts = np.ones(n, dtype=bool)
        starts[1:] = batch.series[1:] != batch.series[:-1]
        first = np.maximum.accumulate(np.where(starts, np.arange(n), 0)) if n else np.zeros(0, dtype=np.intp)
        asked = np.ones(n, dtype=bool) if asked is None else asked
        return cls(
            series=batch.series,
            time=batch.time,
            value=batch.value,
            place=place(batch.series, batch.time),
            first=first,
            asked=asked,
            received=batch.received,
        )


def place(series: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.int64]:
    """`series << 42 | ms since 2000`, so that one `searchsorted` finds a time within a series. Shapes (n,)."""
    return (series.astype(np.int64) << _TIME_BITS) + (time - Y2000_MS)


Run = Callable[[Block, Mapping[str, Floats]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class QcTest:
    """One test. `run(block, params)` returns a QARTOD flag per row (n,) uint8 and changes nothing it was given.

    `params` names every parameter with its default (NaN = must be configured, else the row is NOT_EVALUATED); `run`
    gets each as (n,) floats, one per row, so that stations and quantities may differ. `check` raises ValueError for a
    set of parameters that makes no sense (asked once, when the configuration is read). `about` says what each parameter is.
    `beside`: it looks at other quantities of the same sensor and time.
    """

    name: str
    bit: int
    before: Context
    after: Context
    params: Mapping[str, float]
    run: Run
    check: Callable[[Mapping[str, float]], None] = field(default=lambda params: None)
    vi: str
    en: str
    about: Mapping[str, str] = field(default_factory=dict)
    beside: bool = False

    @property
    def needs_context(self) -> bool:
        """True where other times of the series are looked at."""
        return self.before != Context() or self.after != Context()

    @property
    def is_row_test(self) -> bool:
        """True where a row is judged by itself alone."""
        return not self.needs_context and not self.beside
