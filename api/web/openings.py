"""How often it was so when a station's page bade to open a sluice: what was said at least, and what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.both_sides import LIMIT
from analytics.record import FEW, Tenth, records
from api.backend import Backend
from api.web.charts.reliability import of_10
from api.web.windows import LIKELY
from core.record import AS_ONE, SLUICE, VALUES
from core.sluice import OPEN
from core.texts import say

TARGET = SLUICE[OPEN]
LEAD = 24  # hours: further ahead the API tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """A row per tenth that pages tell of, in words: what was said, what came and of how many; and sentences."""

    rows: tuple[tuple[str, str, str], ...]
    sentences: tuple[str, ...]


async def openings(backend: Backend, stations: Sequence[str], lang: str) -> Openings | None:
    """Of these stations, at 1 g/L and in the next 24 hours; None where nothing was scored of any sluice."""
    asked: dict[str, Any] = {"stations": stations, "target": TARGET, "leads": (LEAD,)}
    whole = records(await backend.records.scores(**asked, over=("station", "point", "model")))
    if not whole or not whole[0].n:
        return None
    at: Counter[str] = Counter()
    for s in await backend.records.scores(**asked, lines=(VALUES,), over=("point", "model", "bin")):
        at[s.station] += s.n
    as_one = AS_ONE[TARGET]
    days = max(at.values()) // as_one  # at one place: sluices of one day are in the same water
    record = whole[0]
    line = next(x for x in record.lines if x.line == LIMIT)
    told = [t for t in line.tenths if t.said >= LIKELY]
    counted = say(lang, "record.counted", n=record.n, missing=record.missing)
    few = (say(lang, "record.few", n=days),) if days < FEW else ()
    return Openings(rows=tuple(_row(t, days, as_one, lang) for t in told), sentences=(*few, counted))


def _row(t: Tenth, days: int, as_one: int, lang: str) -> tuple[str, str, str]:
    if days < FEW:
        came = say(lang, "record.cell.few", n=say(lang, "age.days", days=days))
    elif t.n < FEW * as_one:
        came = say(lang, "record.cell.need", n=FEW * as_one)
    else:
        came = say(lang, "record.of.ten", n=of_10(t.came, lang))
    return say(lang, "record.sluice.least", n=of_10(t.said, lang)), came, str(t.n)
