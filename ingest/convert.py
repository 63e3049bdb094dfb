"""From values to columns: which series each belongs to, and the quantities derived from others.

Messages of one form (the same quantities in the same order, the same ones derived) are rows of one matrix, whatever device
they come from, so that a message costs two list extensions and everything else is done on columns. Which series the
values of a device are is found once for the span of time it holds: its layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.clock import Y2000_MS
from core.derived import DERIVED
from core.flags import CLOCK_BIT, Flag
from core.series import SeriesKey, SeriesTable
from ingest.decoder import Refusal

# (device, channel, quantity, time) → (key, role, valid from, valid until), or None where the sensor stood nowhere then
Resolve = Callable[[str, str, str, int], tuple[SeriesKey, str, int, int] | None]

Ints = NDArray[np.int64]

_MOST_LAYOUTS = 100_000  # remembered; a sender that invents mixtures of quantities must not fill our memory
_MOST_FORMS = 5_000
_TIME_BITS = 42  # ms since 2000, until the year 2139


class Form:
    """A mixture of quantities. `derived` is [(which of DERIVED, columns of it and its sources)].

    `values` and `about` collect one batch: `width` values a message, and of each message the four numbers row of `table`
    (its series, those of derived quantities last), time, received, and its place in the order of arrival.
    """

    __slots__ = ("_rows", "_table", "about", "derived", "total", "values", "width")

    def __init__(self, width: int, derived: tuple[tuple[int, tuple[int, ...]], ...]) -> None:
        self.width = width
        self.derived = derived
        self.total = width + len(derived)
        self.values: list[float] = []
        self.about: list[int] = []
        self._rows: dict[bytes, int] = {}
        self._table = np.zeros((0, self.total), dtype=np.int32)

    def row(self, series: Sequence[int]) -> int:
        """The row of the table that holds these series."""
        row = np.array(series, dtype=np.int32)
        key = row.tobytes()
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = len(self._rows)
            if found >= len(self._table):
                self._table = np.concatenate([self._table, np.zeros((max(16, len(self._table)), self.total), dtype=np.int32)])
            self._table[found] = row
        return found

    @property
    def table(self) -> NDArray[np.int32]:
        """Series by row and column."""
        return self._table


class Layout:
    """The series of some values of one device from `start` to `end` (excluded); `missing` are the values that stood nowhere then."""

    __slots__ = ("end", "extra", "form", "missing", "names", "row", "start")

    def __init__(self, names: tuple[str, ...], start: int, end: int, form: Form, row: int, missing: tuple[str, ...]) -> None:
        self.names = names
        self.extra = 0  # for who finds it by other marks beside its names
        self.start = start
        self.end = end
        self.form = form
        self.row = row
        self.missing = missing


class Layouts:
    """Every form and layout met under one registry; `clear` when that changes. `roles` holds the role of each series that is not `primary`."""

    def __init__(self, resolve: Resolve, table: SeriesTable) -> None:
        self.resolve = resolve
        self.roles: dict[int, str] = {}
        self._series = table
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}  # one for all layouts
        self._forms: dict[tuple[int, tuple[tuple[int, tuple[int, ...]], ...]], Form] = {}
        self._layouts: dict[tuple[str, str, tuple[str, ...]], Layout] = {}
        self._laid_out = 0  # since the forms were cleared

    def clear(self, resolve: Resolve) -> None:
        """Forget where things stand, and ask `resolve` from now on."""
        self.resolve = resolve
        self._layouts.clear()
        self._forms.clear()
        self._names.clear()
        self._laid_out = 0

    def one(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The same names, of which there is but one in memory."""
        if len(self._names) >= _MOST_FORMS:
            self._names.clear()
        return self._names.setdefault(names, names)

    def find(self, device: str, channel: str, names: tuple[str, ...], time: int) -> Layout:
        """Where these values of one channel stand at that time."""
        key = (device, channel, names)
        found = self._layouts.get(key)
        if found is None or not found.start <= time < found.end:
            found = self.lay_out(device, channel, names, time)
            if not found.missing:  # that one holds for this time only, and its channel may be anything a sender invents
                if len(self._layouts) >= _MOST_LAYOUTS:
                    self._layouts.clear()
                self._layouts[(device, channel, found.names)] = found
        return found

    def lay_out(self, device: str, channel: str, names: tuple[str, ...], time: int) -> Layout:
        """The same, for who remembers it himself."""
        start, end = 0, 1 << 62
        series: list[int] = []
        column: dict[str, int] = {}
        missing: list[str] = []
        for name in names:
            found = self.resolve(device, channel, name, time)
            if found is None:
                missing.append(name)
                start, end = time, time + 1  # where something is missing nothing is remembered for other times
                continue
            key, role, since, until = found
            start, end = max(start, since), min(end, until)
            column[name] = len(series)
            series.append(self._index(key, role))
        width = len(series)
        derived: list[tuple[int, tuple[int, ...]]] = []
        for which, rule in enumerate(DERIVED):
            if rule.quantity in names or not all(source in column for source in rule.sources):
                continue  # what a device sends itself is not derived again
            found = self.resolve(device, channel, rule.quantity, time)
            if found is None:
                continue
            column[rule.quantity] = len(series)
            series.append(self._index(found[0], found[1]))
            derived.append((which, tuple(column[name] for name in (rule.quantity, *rule.sources))))
        if self._laid_out >= _MOST_LAYOUTS:  # each may have added a row to a form; layouts that are known keep theirs
            self._forms.clear()
            self._layouts.clear()
            self._laid_out = 0
        self._laid_out += 1
        form = self._form(width, tuple(derived))
        return Layout(self.one(names), start, end, form, form.row(series), tuple(missing))

    def _form(self, width: int, derived: tuple[tuple[int, tuple[int, ...]], ...]) -> Form:
        found = self._forms.get((width, derived))
        if found is None:
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()  # layouts that are known keep theirs
            found = self._forms[(width, derived)] = Form(width, derived)
        return found

    def _index(self, key: SeriesKey, role: str) -> int:
        index = self._series.index(key)
        if role == "primary":
            self.roles.pop(index, None)
        else:
            self.roles[index] = role
        return index


class _Part(NamedTuple):
    """The messages of one form in a batch, in order of arrival: row of its table, time, received, place in that order."""

    form: Form
    row: Ints
    time: Ints
    received: Ints
    at: Ints


class Columns:
    """The rows of one batch. Values are added to their forms; `batch()` takes them from there and makes the arrays.

    `at` is a message's place in the order of arrival: of two rows of one identity the one with the higher `at` wins.
    """

    def __init__(self, layouts: Layouts) -> None:
        self._layouts = layouts
        self.used: list[Form] = []  # forms that hold values of this batch
        self.fallen_back: list[int] = []  # `at` of objects whose clock fell back
        self._parts: list[_Part] = []

    def add(self, device: str, channel: str, values: dict[str, float], *, time: int, received: int, at: int = 0, fallen_back: bool = False) -> list[Refusal]:
        """Append one channel of one record. Returns the values that stood nowhere at that time."""
        layout = self._layouts.find(device, channel, tuple(values), time)
        form = layout.form
        if form.width:
            if not form.about:
                self.used.append(form)
            form.about += (layout.row, time, received, at)
            form.values += [value for name, value in values.items() if name not in layout.missing] if layout.missing else values.values()
            if fallen_back:
                self.fallen_back.append(at)
        if not layout.missing:
            return []
        where = device if channel == "main" else f"{device}/{channel}"
        return [
            Refusal("not_deployed", name if channel == "main" else f"{channel}/{name}", f"sensor {where} stood at no station then") for name in layout.missing
        ]

    def discard(self) -> None:
        """The batch failed: nothing of it may stay in the forms."""
        for form in self.used:
            form.values, form.about = [], []

    def origin(self, series: int, time: int) -> int | None:
        """The place (`at`) of the message that last gave a row of this identity; None where there is none."""
        last = [part.at[(part.form.table[part.row] == series).any(axis=1) & (part.time == time)] for part in self._parts]
        return max((int(at.max()) for at in last if len(at)), default=None)

    def batch(self) -> Batch:
        """The rows, sorted by (series, time); rows of one identity in order of arrival. Derived values that are not defined (NaN) are left out."""
        if not self.used:
            return Batch.empty()
        columns = [self._rows(form) for form in self.used]
        series, time, value, received, tests, at = columns[0] if len(columns) == 1 else (np.concatenate(parts) for parts in zip(*columns, strict=True))
        self.used = []
        order = _order(series, time, at)
        if not np.isfinite(value).all():
            order = order[np.isfinite(value)[order]]
        flag = np.full(len(order), Flag.NOT_EVALUATED, dtype=np.uint8)
        return Batch(series=series[order], time=time[order], value=value[order], flag=flag, tests=tests[order], received=received[order])

    def _rows(self, form: Form) -> tuple[NDArray[np.int32], Ints, NDArray[np.float64], Ints, Ints, Ints]:
        """series, time, value, received, tests, at of all rows of a form: column after column, each sorted by (series, time)."""
        about = np.fromiter(form.about, np.int64, len(form.about)).reshape(-1, 4)
        n, width = len(about), form.width
        given = np.fromiter(form.values, np.float64, n * width).reshape(n, width)
        form.values, form.about = [], []
        if n > 1:
            # most series of a device were met together, so what is sorted by the first of them is sorted by each
            place = form.table[about[:, 0], 0].astype(np.int64) << _TIME_BITS
            sort = np.argsort(place + (about[:, 1] - Y2000_MS), kind="stable")
            about, given = about[sort], given[sort]
        row, time, received, at = about.T.copy()
        self._parts.append(_Part(form, row, time, received, at))
        value = np.empty((form.total, n))
        value[:width] = given.T
        for which, (target, *sources) in form.derived:
            value[target] = DERIVED[which].compute(*(value[source] for source in sources))
        every = np.zeros((4, form.total, n), dtype=np.int64)  # of each row time, received, tests and place
        every[:2], every[3] = about[:, 1:3].T[:, None], at
        if self.fallen_back:
            every[2, :, np.isin(at, self.fallen_back)] = np.int64(1) << CLOCK_BIT
        series = form.table[row].T.ravel()
        times, arrivals, tests, places = every.reshape(4, -1)
        return series, times, value.ravel(), arrivals, tests, places


def _order(series: NDArray[np.int32], time: Ints, at: Ints) -> Ints:
    """The order by series, time and arrival, of rows that mostly stand in it: a stable sort merges what is sorted in part."""
    if len(time) and int(time.min()) >= Y2000_MS and int(time.max()) < Y2000_MS + (1 << _TIME_BITS):
        place = (series.astype(np.int64) << _TIME_BITS) + (time - Y2000_MS)
        order: Ints = np.argsort(place, kind="stable")
        place = place[order]
        if not (place[1:] == place[:-1]).any():
            return order
    return np.lexsort((at, time, series))
