"""Why there is no record of a station, in words: its forecasts' time has not come yet, or none was ever made, because …"""

from __future__ import annotations

from analytics.issuing import FRESH_MS
from api.backend import Backend
from api.web.words import ago
from core.forecast import HOUR_MS, TARGETS
from core.place import Station
from core.texts import say
from registry.situation import SALINITY, Situation

FRESH_H = FRESH_MS // HOUR_MS


async def why_no_record(backend: Backend, situation: Situation, station: Station | None, *, now: int, lang: str) -> tuple[str, str]:
    """A head and a sentence: of one station, or of all."""
    of = station.id if station is not None else None
    for target in TARGETS:
        if await backend.forecasts.latest_forecasts(target=target, station=of, until=now):
            return say(lang, "record.empty"), say(lang, "record.empty.why")
    return say(lang, "record.none"), _why(situation, station, now, lang)


def _why(situation: Situation, station: Station | None, now: int, lang: str) -> str:
    if station is None:
        return say(lang, "record.none.all", hours=FRESH_H)
    source = situation.source_of(station.id)
    if source != station.id:
        intake = situation.directory.station(source)
        return say(lang, "record.none.intake", name=intake.name if intake is not None else source)
    found = [r for r in situation.readings(station.id) if r.quantity == SALINITY]
    if not found:
        return say(lang, "record.none.salinity")
    good = max((r.good.time for r in found if r.good is not None), default=None)
    if good is None:
        return say(lang, "record.none.good")
    if now - good > FRESH_MS:
        return say(lang, "record.none.silent", ago=ago(good, now, lang), hours=FRESH_H)
    return say(lang, "record.none.short")
