"""InfluxDB line protocol: one line per (measurement, tags, time), with the fields of every quantity of that point.

`water,org=o,point=main,sensor=kl01,station=kl-01 ec=2.31,ec_qc=1i,temperature=28.4,temperature_qc=1i,rx=1772323805000i 1772323800000`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.quantities import QUANTITIES
from core.series import SeriesKey

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPECIAL = re.compile(r"([,= ])")
# The protocol has no escape for the backslash itself: before a separator, or at the end, it would eat that separator.
_EATING = re.compile(r"\\(?:[,= ]|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a series is written: `head` = measurement and tags, escaped (shared by all quantities of a point); its field."""

    key: SeriesKey
    head: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines to send; line i was made of the rows `order[starts[i]:starts[i + 1]]` of the batch encoded."""

    texts: list[str]
    order: NDArray[np.intp]
    starts: list[int]

    def body(self, first: int, last: int) -> bytes:
        """The lines from `first` (included) to `last` (excluded), as they are sent."""
        return "\n".join(self.texts[first:last]).encode()

    def rows(self, line: int) -> list[int]:
        """The rows of the batch in line `line`."""
        rows: list[int] = self.order[self.starts[line] : self.starts[line + 1]].tolist()
        return rows


def escape_tag(text: str) -> str:
    """A tag value as it stands in a line. Raises ValueError for one that no version can hold as it is."""
    if not text:
        raise ValueError("a tag may not be empty")
    if _CONTROL.search(text):
        raise ValueError(f"{text!r} holds a control character")
    if _EATING.search(text):
        raise ValueError(f"{text!r} ends in a backslash, or has one before a comma, an equals sign or a space")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is not text that can be written as UTF-8") from error
    return _SPECIAL.sub(r"\\\1", text)


def place(key: SeriesKey) -> Place:
    """Where `key` is written. Raises ValueError for an unknown quantity or a tag that cannot be written."""
    quantity = QUANTITIES.get(key.quantity)
    if quantity is None:
        raise ValueError(f"unknown quantity {key.quantity!r}")
    tags = (("org", key.org), ("point", key.point), ("sensor", key.sensor), ("station", key.station))  # sorted: the server need not
    return Place(key=key, head=",".join([quantity.measurement, *(f"{name}={escape_tag(value)}" for name, value in tags)]), field=quantity.field)


def encode_rows(batch: Batch, places: Sequence[Place], explicit: NDArray[np.bool_]) -> Lines:
    """Lines of a batch without repeated identities; `batch.series` indexes `places`, the rows are in order of arrival.

    Where `explicit` is false `_qt` is left out: such a row has no test bits, and nothing stood there before.
    `rx` of a line is that of its last row.
    """
    order, starts = _group(batch, places)
    b = batch.take(order)
    fields = [places[i].field for i in b.series.tolist()]
    columns = zip(fields, b.value.tolist(), b.flag.tolist(), b.tests.tolist(), explicit[order].tolist(), strict=True)
    cells = [f"{f}={v!r},{f}_qc={q}i,{f}_qt={t}i" if e else f"{f}={v!r},{f}_qc={q}i" for f, v, q, t, e in columns]
    received, time, series = b.received.tolist(), b.time.tolist(), b.series.tolist()
    texts = [f"{places[series[a]].head} {','.join(cells[a:z])},rx={received[z - 1]}i {time[a]}" for a, z in pairwise(starts)]
    return Lines(texts=texts, order=order, starts=starts)


def encode_flags(batch: Batch, places: Sequence[Place]) -> Lines:
    """Lines that change flag and tests of rows that exist, and nothing else."""
    order, starts = _group(batch, places)
    b = batch.take(order)
    fields = [places[i].field for i in b.series.tolist()]
    cells = [f"{f}_qc={q}i,{f}_qt={t}i" for f, q, t in zip(fields, b.flag.tolist(), b.tests.tolist(), strict=True)]
    time, series = b.time.tolist(), b.series.tolist()
    texts = [f"{places[series[a]].head} {','.join(cells[a:z])} {time[a]}" for a, z in pairwise(starts)]
    return Lines(texts=texts, order=order, starts=starts)


def _group(batch: Batch, places: Sequence[Place]) -> tuple[NDArray[np.intp], list[int]]:
    """Row order with the rows of one line together (in order of arrival), and where each line starts, plus the end."""
    if not len(batch):
        return np.zeros(0, dtype=np.intp), [0]
    numbers: dict[str, int] = {}
    head_of = np.array([numbers.setdefault(p.head, len(numbers)) for p in places], dtype=np.int64)
    head = head_of[batch.series]
    order = np.lexsort((batch.time, head))  # stable
    change = (np.diff(head[order]) != 0) | (np.diff(batch.time[order]) != 0)
    return order, [0, *(np.flatnonzero(change) + 1).tolist(), len(order)]
