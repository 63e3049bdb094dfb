"""From decoded records to columns: which series each value belongs to, and the quantities derived from others.

A layout (device, channel, names of the values) is resolved once for the span of time it holds, so that a record costs
a look-up and a few list appends; derived quantities are computed on whole columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core.batch import Batch
from core.derived import DERIVED
from core.flags import CLOCK_BIT
from core.series import SeriesKey, SeriesTable
from ingest.decoder import Refusal

# (device, channel, quantity, time) → (key, role, valid from, valid until), or None where the sensor stood nowhere then
Resolve = Callable[[str, str, str, int], tuple[SeriesKey, str, int, int] | None]

NAN = float("nan")


class _Layout(NamedTuple):
    """`series` of the values in order, then of what is derived; `derived` is [(which of DERIVED, columns of it and its sources)].

    `blank` is as many NaN as there are derived values.
    """

    series: list[int]
    start: int
    end: int
    derived: list[tuple[int, tuple[int, ...]]]
    blank: list[float]
    missing: tuple[str, ...]


Layouts = dict[tuple[str, str, tuple[str, ...]], _Layout]


class Columns:
    """Collects rows; `batch()` makes the arrays. One per batch; the layouts are shared over batches."""

    def __init__(self, resolve: Resolve, table: SeriesTable, layouts: Layouts, roles: dict[int, str]) -> None:
        self._resolve = resolve
        self._table = table
        self._layouts = layouts
        self._roles = roles
        self._series: list[int] = []
        self._value: list[float] = []
        self._blocks: list[int] = []  # of each channel of a record in turn: first row, rows, time, received, position
        self._clock: list[tuple[int, int]] = []
        self._derived: list[tuple[list[int], list[tuple[int, ...]]]] = [([], []) for _ in DERIVED]  # first rows, and columns from there

    def __len__(self) -> int:
        return len(self._series)

    def add(
        self, device: str, channel: str, values: dict[str, float], *, time: int, received: int, position: int = 0, fallen_back: bool = False
    ) -> list[Refusal]:
        """Append one channel of one record. Returns the values that stood nowhere at that time."""
        key = (device, channel, tuple(values))
        layout = self._layouts.get(key)
        if layout is None or not layout.start <= time < layout.end:
            layout = self._layouts[key] = self._lay_out(*key, time)
        first, n = len(self._series), len(layout.series)
        self._blocks += (first, n, time, received, position)
        self._series += layout.series
        self._value += [value for name, value in values.items() if name not in layout.missing] if layout.missing else values.values()
        self._value += layout.blank
        for which, columns in layout.derived:
            firsts, offsets = self._derived[which]
            firsts.append(first)
            offsets.append(columns)
        if fallen_back:
            self._clock.append((first, first + n))
        if not layout.missing:
            return []
        where = device if channel == "main" else f"{device}/{channel}"
        return [
            Refusal("not_deployed", name if channel == "main" else f"{channel}/{name}", f"sensor {where} stood at no station then") for name in layout.missing
        ]

    def _lay_out(self, device: str, channel: str, names: tuple[str, ...], time: int) -> _Layout:
        start, end = 0, 1 << 62
        series: list[int] = []
        column: dict[str, int] = {}
        missing: list[str] = []
        for name in names:
            found = self._resolve(device, channel, name, time)
            if found is None:
                missing.append(name)
                start, end = time, time + 1  # where something is missing nothing is remembered for other times
                continue
            key, role, since, until = found
            start, end = max(start, since), min(end, until)
            column[name] = len(series)
            series.append(self._index(key, role))
        derived: list[tuple[int, tuple[int, ...]]] = []
        for which, rule in enumerate(DERIVED):
            if rule.quantity in names or not all(source in column for source in rule.sources):
                continue  # what a device sends itself is not derived again
            found = self._resolve(device, channel, rule.quantity, time)
            if found is None:
                continue
            column[rule.quantity] = len(series)
            series.append(self._index(found[0], found[1]))
            derived.append((which, tuple(column[name] for name in (rule.quantity, *rule.sources))))
        return _Layout(series, start, end, derived, [NAN] * len(derived), tuple(missing))

    def _index(self, key: SeriesKey, role: str) -> int:
        index = self._table.index(key)
        self._roles[index] = role
        return index

    def origin(self, series: int, time: int) -> int | None:
        """The journal position of the message that last gave a row of this identity; None where there is none."""
        for first, n, at, _, position in reversed(np.array(self._blocks, dtype=np.int64).reshape(-1, 5).tolist()):
            if at == time and series in self._series[first : first + n]:
                return int(position)
        return None

    def batch(self) -> Batch:
        """The rows as columns, derived values filled in; those that are not defined (NaN) are left out."""
        value = np.array(self._value, dtype=np.float64)
        tests = np.zeros(len(value), dtype=np.int64)
        for rule, (firsts, offsets) in zip(DERIVED, self._derived, strict=True):
            if firsts:
                at = np.array(offsets, dtype=np.intp) + np.array(firsts, dtype=np.intp)[:, np.newaxis]
                value[at[:, 0]] = rule.compute(*(value[at[:, c]] for c in range(1, at.shape[1])))
        for first, end in self._clock:
            tests[first:end] |= np.int64(1) << CLOCK_BIT
        _, rows, time, received, _ = np.array(self._blocks, dtype=np.int64).reshape(-1, 5).T
        batch = Batch.of(self._series, np.repeat(time, rows), value, tests=tests, received=np.repeat(received, rows))
        return batch.take(np.isfinite(value))
