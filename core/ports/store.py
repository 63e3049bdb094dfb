"""The store: readings by series and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.batch import Batch
from core.series import SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row the store will never take: its index in the batch and the store's words."""

    row: int
    text: str


class SeriesStore(Protocol):
    """Readings by series and time. The same identity (series key, time) again: the last write wins."""

    name: str
    durable_after: float  # how long after the answer of `flush` what was written before is safe from a power cut [s]; cursors trail by it

    async def open(self) -> None:
        """Connect and check. Raises UnavailableError (away), RefusedError (password, no database), FormatError."""
        ...

    async def create(self) -> None:
        """Make the database or file where it does not exist (`canhman migrate --create-store`)."""
        ...

    async def ping(self) -> None:
        """Raises as `open` does, where the store cannot take a write now."""
        ...

    async def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        """Upsert all rows with value, flag, tests and received; `batch.series` indexes `keys`.

        With `cursor`, the store's cursor of `journal` moves there, in the same transaction where it has one, else
        after the answer. Returns the rows it will never take. Raises UnavailableError or RefusedError: then nothing
        may be assumed, and the same write may be repeated.
        """
        ...

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """Rewrite flag and tests of rows that exist; values and `received` are left alone."""
        ...

    async def flush(self) -> None:
        """Have everything written through here safe from a power cut. Raises UnavailableError: then nothing may be assumed.

        To be awaited before anything durable elsewhere (a commit of the database) relies on what was written.
        """
        ...

    async def mistrust(self) -> None:
        """Somebody else writes readings past this object: what it remembers of what stands there is not believed any more."""
        ...

    async def cursor(self, journal: str) -> int:
        """How far `journal` is stored; 0 where nothing is."""
        ...

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        """Rows with start ≤ time < end, sorted by (series, time); `series` indexes `keys`.

        With `limit`, at most that many of the oldest rows of each series.
        """
        ...

    async def series(self, *, station: str | None = None) -> list[SeriesKey]:
        """Every series stored (of one station), sorted. For `doctor` and repairs, not for everyday reads."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
