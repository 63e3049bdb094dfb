"""The row of numbers at the head: how many stations are salt, how many are known, how many alerts are open."""

from __future__ import annotations

from dashboards.board import Panel, Query, Words
from dashboards.colours import INK, NOT_KNOWN
from dashboards.overview.where import FRESH_STATIONS, NO_ALERT, NO_FRESH, OF_WATERWAY, OPEN_ALERTS, STATIONS
from dashboards.panels import (
    STAT_OPTIONS,
    fixed,
    without,
)


def _over(line: int) -> str:
    """How many stations stand at `line` g/L or more: floor(2s/(s+line)) is 1 from the line on and 0 below, so that none is 0 and no data is no row."""
    return f'SELECT sum("over") AS "over" FROM (SELECT floor(2 * "salinity" / ("salinity" + {line})) AS "over" FROM {FRESH_STATIONS})'


def _stat(id: int, name: str, at: tuple[int, int, int, int], query: str, no_value: str | Words, why_empty: str) -> Panel:
    return Panel(
        id=id,
        kind="stat",
        title=f"board.{name}",
        about=f"board.{name}.about",
        at=at,
        queries=(Query(ref="A", text=query, may_be_empty=why_empty),),
        options=STAT_OPTIONS,
        defaults={"color": fixed(INK), "noValue": no_value, "decimals": 0},
        transformations=(without("Time"),),
    )


STATS = (
    _stat(1, "over1", (0, 0, 5, 4), _over(1), NOT_KNOWN, NO_FRESH),
    _stat(2, "over4", (5, 0, 5, 4), _over(4), NOT_KNOWN, NO_FRESH),
    _stat(3, "known", (10, 0, 5, 4), f'SELECT count("salinity") AS "known" FROM {FRESH_STATIONS}', "0", NO_FRESH),
    _stat(4, "stations", (15, 0, 4, 4), f'SELECT count("name") AS "stations" FROM {STATIONS} WHERE {OF_WATERWAY}', "0", ""),
    _stat(5, "open_alerts", (19, 0, 5, 4), f'SELECT count("level") AS "open" FROM {OPEN_ALERTS}', "0", NO_ALERT),
)
