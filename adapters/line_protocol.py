"""InfluxDB line protocol: one line per (measurement, tags, time), with the fields of every quantity of that point.

`water,org=o,point=main,sensor=kl01,station=kl-01 ec=2.31,ec_qc=1i,temperature=28.4,temperature_qc=1i,rx=1772323805000i 1772323800000`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
    starts: Sequence[int] | NDArray[np.intp]

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


@lru_cache(maxsize=256)  # the series of a point are met one after the other, and share it
def _head(measurement: str, org: str, point: str, sensor: str, station: str) -> str:
    tags = (("org", org), ("point", point), ("sensor", sensor), ("station", station))  # sorted: the server need not
    return ",".join([measurement, *(f"{name}={escape_tag(value)}" for name, value in tags)])


def place(key: SeriesKey) -> Place:
    """Where `key` is written. Raises ValueError for an unknown quantity or a tag that cannot be written."""
    quantity = QUANTITIES.get(key.quantity)
    if quantity is None:
        raise ValueError(f"unknown quantity {key.quantity!r}")
    return Place(key=key, head=_head(quantity.measurement, key.org, key.point, key.sensor, key.station), field=quantity.field)
