"""Forecasts as issued, and how they scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.sql import forecasts as issues
from adapters.sql import records
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.forecast import Forecast
from core.record import Anew, Basis, Day, Score


class SqlForecasts(Transactions):
    """Implements Forecasts and Records."""

    # ------------------------------------------------------------ Forecasts

    async def issue(self, forecasts: Sequence[Forecast]) -> int:
        """Append these in one transaction; returns how many were new. Raises ConflictError for arrays that are no forecast."""
        with writing(self._engine) as c:
            return issues.issue(c, forecasts)

    async def latest_forecasts(self, *, target: str, station: str | None = None, until: int | None = None) -> list[Forecast]:
        """The newest issue per (station, point) of one target, sorted by them."""
        with reading(self._engine) as c:
            return issues.latest(c, target, station, until)

    async def forecasts(self, *, station: str, point: str, target: str, since: int = 0, until: int | None = None, limit: int = 100) -> list[Forecast]:
        """Issues with since ≤ issued_at < until, oldest first."""
        with reading(self._engine) as c:
            return issues.between(c, station=station, point=point, target=target, since=since, until=until, limit=limit)

    async def forecasts_after(self, id: int, *, limit: int = 100) -> list[Forecast]:
        """Issues with a greater id, in rising order."""
        with reading(self._engine) as c:
            return issues.after(c, id, limit)

    # ------------------------------------------------------------ Records

    async def add_scores(
        self,
        scores: Sequence[Score],
        days: Sequence[Day] = (),
        *,
        name: str,
        was: int,
        value: int,
        anew: Anew | None = None,
        bases: Mapping[tuple[str, str], Sequence[Basis]] | None = None,
    ) -> bool:
        """Add these to what is there (`anew`: in its place) and move cursor `name`, all or nothing; False where it did not stand at `was`."""
        with writing(self._engine) as c:
            return records.add(c, scores, days, name=name, was=was, value=value, anew=anew, bases=bases or {})

    async def bases(self, *, station: str, point: str) -> list[Basis]:
        """What the scores of that point's newest days rest on, by time."""
        with reading(self._engine) as c:
            return records.bases(c, station=station, point=point)

    async def anews(self) -> int:
        """How often something was scored anew."""
        with reading(self._engine) as c:
            return records.anews(c)

    async def scores(
        self, *, stations: Sequence[str], target: str, leads: Sequence[int] = (), since: int = 0, lines: Sequence[float] = (), over: Sequence[str] = ()
    ) -> list[Score]:
        """The sums over all months from `since` on, and over the keys in `over`, of these stations and one target (of these leads and lines)."""
        with reading(self._engine) as c:
            return records.scores(c, stations=stations, target=target, leads=leads, since=since, lines=lines, over=over)

    async def scored_days(self, *, stations: Sequence[str], target: str, since: int = 0, until: int | None = None) -> list[Day]:
        """Days of these stations and one target with since ≤ time < until, by station, point and time."""
        with reading(self._engine) as c:
            return records.days(c, stations=stations, target=target, since=since, until=until)
