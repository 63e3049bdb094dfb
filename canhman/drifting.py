"""Whether the models that speak still do as they did: their cards against the public record."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql.database import SqlDatabase
from analytics.drift import Drift, drift, since_month, targets
from analytics.history import local_date
from canhman import wiring
from canhman.settings import Settings
from core.model_card import ModelCard

ZONE = "Asia/Ho_Chi_Minh"  # months of the record are local ones; a day more or less of thirty tells nothing


async def of_database(db: SqlDatabase, cards: Sequence[ModelCard], now_ms: int) -> list[Drift]:
    """Of the models that speak, those that drift."""
    stations = [s.id for s in (await db.snapshot()).stations] if cards else []
    found = []
    for card in cards:
        since = since_month(card, local_date(now_ms, ZONE))
        found.append(drift(card, [score for target in targets(card) for score in await db.scores(stations=stations, target=target, since=since)]))
    return [one for one in found if one is not None]


async def of_installation(settings: Settings, cards: Sequence[ModelCard]) -> list[Drift]:
    """The same, for a command. Raises as `wiring.existing_database`."""
    db = wiring.existing_database(settings)
    try:
        return await of_database(db, cards, (await wiring.clock(settings, db)).now_ms())
    finally:
        db.close()
