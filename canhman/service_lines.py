"""What doctor says of the services behind ingest, in words for people: how many forecasts and how old, what is open, what is watched."""

from __future__ import annotations

import asyncio

from adapters.sql.database import SqlDatabase
from canhman import heartbeat, wiring
from canhman.settings import Settings
from core import texts

TARGETS = ("hour", "day_max")


def lines(settings: Settings) -> dict[str, str]:
    """By service; what stands in the database as they left it."""
    db = wiring.existing_database(settings)
    try:
        return asyncio.run(_lines(settings, db))
    finally:
        db.close()


async def _lines(settings: Settings, db: SqlDatabase) -> dict[str, str]:
    now = (await wiring.clock(settings, db)).now_ms()
    issued = [f.issued_at for target in TARGETS for f in await db.latest_forecasts(target=target, until=now)]
    forecast = f"{counted(len(issued), 'forecast')}, the last {texts.age(now - max(issued), 'en')} ago" if issued else "no forecast yet"
    points = {(s.key.station, s.key.point) for s in await db.states()}
    alerts = f"{len(await db.live_alerts(cleared_since=now + 1))} open, {counted(len(points), 'point')} watched"
    return {"forecast": forecast, "alerts": alerts, "serve": f"pages and API at {_address(settings)}"}


def _address(settings: Settings) -> str:
    """Where it really listens: `up` and `demo` may have been told another port than our settings tell."""
    beat = heartbeat.read(settings.data, "serve")
    return settings.listen if beat is None else beat.facts.get("address", settings.listen)


def counted(number: int, what: str) -> str:
    """`1 device`, `2 devices`."""
    return f"{number} {what}" + ("" if number == 1 else "s")
