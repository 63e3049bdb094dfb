"""The tables. What changes here needs a migration in `migrations/versions/`; a test compares the two."""

from __future__ import annotations

from adapters.sql.tables.alerts import alert, alert_event, outbox
from adapters.sql.tables.columns import metadata
from adapters.sql.tables.forecasts import forecast_basis, forecast_day, forecast_issue, forecast_point, forecast_score
from adapters.sql.tables.identities import boot_span, counter, device_clock, device_status, seen
from adapters.sql.tables.letters import dead_letter, waiting
from adapters.sql.tables.people import login_failure, person
from adapters.sql.tables.processes import cursor, lease, serial, sim_clock
from adapters.sql.tables.redecodes import redecode_change, redecode_run, redecode_series
from adapters.sql.tables.registry import audit, deployment, device, org, station, waterway
from adapters.sql.tables.states import series_state, state_cursor

__all__ = [
    "alert",
    "alert_event",
    "audit",
    "boot_span",
    "counter",
    "cursor",
    "dead_letter",
    "deployment",
    "device",
    "device_clock",
    "device_status",
    "forecast_basis",
    "forecast_day",
    "forecast_issue",
    "forecast_point",
    "forecast_score",
    "lease",
    "login_failure",
    "metadata",
    "org",
    "outbox",
    "person",
    "redecode_change",
    "redecode_run",
    "redecode_series",
    "seen",
    "serial",
    "series_state",
    "sim_clock",
    "state_cursor",
    "station",
    "waiting",
    "waterway",
]
