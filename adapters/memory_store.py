"""The series store of tests: a dict. What it does is what every other store must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.rows import survivors
from core.alert import Alert
from core.batch import Batch
from core.board import Shown, TakenBack
from core.errors import UnavailableError
from core.forecast import Forecast
from core.place import Station
from core.ports import RefusedRow
from core.series import SeriesKey

_Cell = tuple[float, int, int, int]  # value, flag, tests, received


@dataclass(slots=True)
class MemoryStore:
    """Keeps everything until the process ends. `away` makes every call raise UnavailableError with that text.

    Rows of a series in `refuses` come back as refused, with the text given there. Closing keeps the data.
    """

    name: str = "memory"
    durable_after: float = 0.0
    away: str = ""
    refuses: dict[SeriesKey, str] = field(default_factory=dict)
    writes: int = 0  # how often `write` was answered
    _rows: dict[SeriesKey, dict[int, _Cell]] = field(default_factory=dict)
    _cursors: dict[str, int] = field(default_factory=dict)
    _unflushed: bool = False

    async def open(self) -> None:
        """Raises UnavailableError while `away`."""
        self._check()

    async def create(self) -> None:
        """Nothing to make."""
        self._check()

    async def ping(self) -> None:
        """Raises UnavailableError while `away`."""
        self._check()

    async def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        """See the port. Rows that are NaN or infinite are refused, the rest is kept."""
        self._check()
        rows, refused = survivors(batch)
        kept = batch.take(rows)
        columns = (kept.series.tolist(), kept.time.tolist(), kept.value.tolist(), kept.flag.tolist(), kept.tests.tolist(), kept.received.tolist())
        for row, series, time, *cell in zip(rows.tolist(), *columns, strict=True):
            key = keys[series]
            if key in self.refuses:
                refused.append(RefusedRow(row=row, text=self.refuses[key]))
            else:
                self._rows.setdefault(key, {})[time] = (cell[0], cell[1], cell[2], cell[3])
        if cursor is not None:
            self._cursors[journal] = cursor
        self.writes += 1
        self._unflushed = True
        return sorted(refused, key=lambda r: r.row)

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """See the port; rows that do not exist are passed over."""
        self._check()
        self._unflushed = True
        for series, time, flag, tests in zip(batch.series.tolist(), batch.time.tolist(), batch.flag.tolist(), batch.tests.tolist(), strict=True):
            cells = self._rows.get(keys[series], {})
            if time in cells:
                value, _, _, received = cells[time]
                cells[time] = (value, flag, tests, received)

    async def flush(self) -> None:
        """Nothing to do where nothing was written; nothing is kept beyond the process anyway."""
        if self._unflushed:
            self._check()
        self._unflushed = False

    async def mistrust(self) -> None:
        """Nothing to do: nothing is remembered here."""

    async def cursor(self, journal: str) -> int:
        """How far `journal` is stored; 0 where nothing is."""
        self._check()
        return self._cursors.get(journal, 0)

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        """See the port."""
        self._check()
        parts = []
        for index, key in enumerate(keys):
            cells = self._rows.get(key, {})
            times = sorted(t for t in cells if start <= t < end)[: None if limit is None else max(limit, 0)]
            if times:
                value, flag, tests, received = zip(*(cells[t] for t in times), strict=True)
                parts.append(Batch.of([index] * len(times), times, value, flag=flag, tests=tests, received=received))
        return Batch.concat(parts)

    async def series(self, *, station: str | None = None) -> list[SeriesKey]:
        """See the port."""
        self._check()
        return sorted(key for key, cells in self._rows.items() if cells and station in (None, key.station))

    async def mirror_forecasts(self, rows: Sequence[Forecast | TakenBack]) -> list[RefusedRow]:
        """Takes nothing."""
        self._check()
        return []

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        """Takes nothing."""
        self._check()
        return []

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        """Takes nothing."""
        self._check()
        return 0

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        """Takes nothing."""
        self._check()
        return []

    async def mirrored_latest(self, since: int) -> list[Shown]:
        """Nothing is."""
        self._check()
        return []

    async def close(self) -> None:
        """Keeps the data: the same object opens again, as another store does on the same file."""

    def _check(self) -> None:
        if self.away:
            raise UnavailableError(f"memory store: {self.away}")
