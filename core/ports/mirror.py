"""What Grafana reads beside the readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.alert import Alert
from core.board import Shown, TakenBack
from core.forecast import Forecast
from core.place import Station
from core.ports.store import RefusedRow


class Mirror(Protocol):
    """What Grafana reads beside the readings, in InfluxDB: measurements `forecast`, `alert`, `station` and `latest`. Other stores take nothing."""

    async def mirror_forecasts(self, rows: Sequence[Forecast | TakenBack]) -> list[RefusedRow]:
        """Upsert issues, as `latest` and as the leads d01, d03, d07, d14, and mark what was taken back, in their order; returns what was not taken whole
        and never will be.

        Raises UnavailableError, or RefusedError where it refuses us.
        """
        ...

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        """Upsert one point each at `updated_at`; returns those the store will never take. Raises UnavailableError, or RefusedError where it refuses us."""
        ...

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        """Write those that stand otherwise there (or not at all), at `at` [ms]; returns how many. `waterways`: id → name.

        Raises UnavailableError or RefusedError; what is refused never keeps the others from being written.
        """
        ...

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        """Upsert these rows of `latest`, in their order; returns those the store will never take.

        Raises UnavailableError, or RefusedError where it refuses us.
        """
        ...

    async def mirrored_latest(self, since: int) -> list[Shown]:
        """Rows of `latest` that a writer which begins anew must know: the fresh ones after `since` [ms], and of each point the one with the newest time."""
        ...
