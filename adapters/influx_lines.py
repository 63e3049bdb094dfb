"""A batch as lines: rows of one point and time together, and lines of one shape through one template.

A station sends the same quantities each time, and nearly always their flags are good: then the text of a line differs in
its numbers alone. Lines with test bits are put together one by one; there are few of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.influx_places import Places
from adapters.line_protocol import Lines
from core.batch import Batch

_json = msgspec.json.Encoder()
_TIME_BITS = 42  # a time in ms until the year 2109, below the number of the head
_MOST_HEADS = 1 << 21
_MOST_FIELDS = 64  # in a line that goes through a template
# any odd numbers: what they are decides nothing, equal shapes are compared
_WEIGHTS = np.random.default_rng(1).integers(1, 1 << 62, _MOST_FIELDS, dtype=np.int64) * 2 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """A batch in the order of its lines: line i is `batch[starts[i]:starts[i + 1]]`, with head `head[i]` at `time[i]`, sorted by both.

    `order` (n,): where each row was before; within a line rows keep their order of arrival.
    """

    batch: Batch
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    head: NDArray[np.int32]
    time: NDArray[np.int64]


def group(batch: Batch, places: Places) -> Grouped:
    """`batch.series` are numbers of `places`."""
    head = places.head[batch.series]
    order = _order(head, batch.time, len(places.heads))
    batch, head = batch.take(order), head[order]
    n = len(batch)
    first = np.flatnonzero(np.append(True, (head[1:] != head[:-1]) | (batch.time[1:] != batch.time[:-1]))) if n else np.zeros(0, dtype=np.intp)
    return Grouped(batch=batch, order=order, starts=np.append(first, n), head=head[first], time=batch.time[first])


def _order(head: NDArray[np.int32], time: NDArray[np.int64], heads: int) -> NDArray[np.intp]:
    """Stable by (head, time)."""
    if not len(time):
        return np.zeros(0, dtype=np.intp)
    if time.min() >= 0 and time.max() < 1 << _TIME_BITS and heads < _MOST_HEADS:  # one number: nearly sorted already, and that is fast
        return np.argsort((head.astype(np.int64) << _TIME_BITS) | time, kind="stable")
    return np.lexsort((time, head))


def encode_rows(grouped: Grouped, places: Places, explicit: NDArray[np.bool_]) -> Lines:
    """Lines of rows without repeated identities. `rx` of a line is that of its last row.

    Test bits are written where they are not 0, and in lines where `explicit` (m,) is true; elsewhere nothing stood before.
    """
    b, starts = grouped.batch, grouped.starts
    texts: list[str] = [""] * len(grouped.time)
    if not texts:
        return Lines(texts=texts, order=grouped.order, starts=starts)
    width = np.diff(starts)
    line = np.repeat(np.arange(len(texts)), width)
    code = (places.field[b.series].astype(np.int64) << 9) | (b.flag.astype(np.int64) << 1) | explicit[line]
    plain = np.add.reduceat((b.tests != 0).astype(np.int64), starts[:-1]) == 0
    plain &= width <= _MOST_FIELDS
    for lines in _alike(code, starts, width, plain):
        _through_template(texts, grouped, places, code, lines)
    for i in [n for n, text in enumerate(texts) if not text]:
        texts[i] = _one_line(grouped, places, i, bool(explicit[i]))
    return Lines(texts=texts, order=grouped.order, starts=starts)


def _alike(code: NDArray[np.int64], starts: NDArray[np.intp], width: NDArray[np.intp], plain: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The `plain` lines, those of one shape together: the same fields in the same order, with the same flags."""
    at = np.arange(len(code)) - np.repeat(starts[:-1], width)
    weighed = np.add.reduceat(code * _WEIGHTS[np.minimum(at, _MOST_FIELDS - 1)], starts[:-1])
    chosen = np.flatnonzero(plain)
    _, first, which, counts = np.unique(weighed[chosen], return_index=True, return_inverse=True, return_counts=True)
    found = []
    for lines in np.split(np.argsort(which, kind="stable"), np.cumsum(counts)[:-1]) if len(first) else []:
        lines = chosen[lines]
        model = lines[0]
        lines = lines[width[lines] == width[model]]
        rows = starts[lines][:, None] + np.arange(width[model])
        found.append(lines[(code[rows] == code[rows[0]]).all(axis=1)])  # two shapes of one weight: the other one by hand
    return found


def _through_template(texts: list[str], grouped: Grouped, places: Places, code: NDArray[np.int64], lines: NDArray[np.intp]) -> None:
    b, first = grouped.batch, int(grouped.starts[lines[0]])
    model = code[first : int(grouped.starts[lines[0] + 1])].tolist()
    fields = ((places.fields[c >> 9].replace("%", "%%"), (c >> 1) & 255, ",{0}_qt=0i" if c & 1 else "") for c in model)
    template = "%s " + ",".join(f"{f}=%s,{f}_qc={flag}i" + qt.format(f) for f, flag, qt in fields) + ",rx=%di %d"
    rows = grouped.starts[lines][:, None] + np.arange(len(model))
    heads = [places.heads[h] for h in grouped.head[lines].tolist()]
    columns = (heads, *map(_numbers, b.value[rows].T.tolist()), b.received[rows[:, -1]].tolist(), grouped.time[lines].tolist())
    for i, text in zip(lines.tolist(), map(template.__mod__, zip(*columns, strict=True)), strict=True):
        texts[i] = text


def _numbers(values: list[float]) -> list[str]:
    """The shortest text of each that reads back as the same number: what `repr` says, in a fourth of its time (1e-06 is 1e-6 here)."""
    return _json.encode(values)[1:-1].decode().split(",")


def _one_line(grouped: Grouped, places: Places, i: int, explicit: bool) -> str:
    a, z = int(grouped.starts[i]), int(grouped.starts[i + 1])
    b = grouped.batch.take(slice(a, z))
    fields = [places.fields[f] for f in places.field[b.series].tolist()]
    columns = zip(fields, b.value.tolist(), b.flag.tolist(), b.tests.tolist(), strict=True)
    cells = [f"{f}={v!r},{f}_qc={q}i" + (f",{f}_qt={t}i" if explicit or t else "") for f, v, q, t in columns]
    return f"{places.heads[grouped.head[i]]} {','.join(cells)},rx={int(b.received[-1])}i {int(grouped.time[i])}"


def encode_flags(grouped: Grouped, places: Places) -> Lines:
    """Lines that change flag and tests of rows that exist, and nothing else."""
    b, starts = grouped.batch, grouped.starts.tolist()
    fields = [places.fields[f] for f in places.field[b.series].tolist()]
    cells = [f"{f}_qc={q}i,{f}_qt={t}i" for f, q, t in zip(fields, b.flag.tolist(), b.tests.tolist(), strict=True)]
    lines = zip(starts, starts[1:], grouped.head.tolist(), grouped.time.tolist(), strict=False)
    return Lines(texts=[f"{places.heads[head]} {','.join(cells[a:z])} {time}" for a, z, head, time in lines], order=grouped.order, starts=starts)
