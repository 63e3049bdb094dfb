"""Where each series stands in InfluxDB, as numbers: which line its rows are in (`head`), and under which field there.

The table grows with the series and is one for the store, so that what a batch costs does not depend on how many series there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.line_protocol import place
from core.series import SeriesKey

NOWHERE = -1  # a series that no line can hold

Numbers = NDArray[np.int32]


class Places:
    """Every series met has a number here; `heads[head[n]]` and `fields[field[n]]` are the text of series n."""

    def __init__(self) -> None:
        self.heads: list[str] = []  # measurement and tags, escaped
        self.points: list[SeriesKey] = []  # for each head a series of it
        self.fields: list[str] = []
        self.head: Numbers = np.zeros(0, dtype=np.int32)
        self.field: Numbers = np.zeros(0, dtype=np.int32)
        self._count = 0
        self._known: dict[SeriesKey, int | str] = {}
        self._head_numbers: dict[str, int] = {}
        self._field_numbers: dict[str, int] = {}
        self._keys: Sequence[SeriesKey] = ()
        self._numbers: Numbers = np.zeros(0, dtype=np.int32)

    def numbers(self, keys: Sequence[SeriesKey]) -> Numbers:
        """The number of each of `keys`, `NOWHERE` for one without a place. The same list again costs nothing; it may have grown."""
        if keys is not self._keys:
            self._keys, self._numbers = keys, np.zeros(0, dtype=np.int32)
        known = len(self._numbers)
        if known < len(keys):
            more = np.array([self._number(key) for key in keys[known:]], dtype=np.int32)
            self._numbers = np.concatenate([self._numbers, more])
        return self._numbers

    def why(self, key: SeriesKey) -> str:
        """Why `key` has no place."""
        return str(self._known[key])

    def _number(self, key: SeriesKey) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._add(key)
        return NOWHERE if isinstance(found, str) else found

    def _add(self, key: SeriesKey) -> int | str:
        try:
            where = place(key)
        except ValueError as error:
            return str(error)
        head = self._head_numbers.setdefault(where.head, len(self.heads))
        if head == len(self.heads):
            self.heads.append(where.head)
            self.points.append(key)
        field = self._field_numbers.setdefault(where.field, len(self.fields))
        if field == len(self.fields):
            self.fields.append(where.field)
        number = self._count
        if number == len(self.head):  # room for twice as many
            room = np.zeros(max(64, number), dtype=np.int32)
            self.head, self.field = np.concatenate([self.head, room]), np.concatenate([self.field, room])
        self.head[number], self.field[number] = head, field
        self._count += 1
        return number
