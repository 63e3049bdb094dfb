"""What needs somebody: open alerts, the hours to pump, and the peaks that are forecast."""

from __future__ import annotations

from dashboards.board import Panel, Query, Words
from dashboards.colours import SHAPES
from dashboards.overview.where import AGE, CHOSEN, HOURS, NO_ALERT, NO_FORECAST, NO_HOURS, OPEN_ALERTS, STANDS, STANDS_NOT, STATION_LINK, heads
from dashboards.panels import (
    AS_LINK,
    MERGE,
    PLAIN,
    in_order,
    in_words,
    override,
    table_options,
    unit,
    without,
    without_heads,
)

ALERT_KINDS = {kind: Words(f"board.kind.{kind}") for kind in ("observed", "forecast", "silent", "fault")}
ALERT_STATES = {state: Words(f"board.state.{state}") for state in ("open", "acknowledged")}
# word and shape in ink: what was warned of is no measured water, and a colour would speak of a sensor that is silent
ALERT_LEVELS = {"0": Words("board.no_level"), **{str(i): Words(f"band.{i}", after=f" {SHAPES[i]}") for i in range(1, 5)}}
ALERTS = Panel(
    id=8,
    kind="table",
    title="board.alerts",
    about="board.alerts.about",
    at=(0, 18, 12, 9),
    queries=(Query(ref="A", text=f'SELECT "station", "point", "kind", "level", "state", "value", "p" FROM {OPEN_ALERTS}', may_be_empty=NO_ALERT),),
    transformations=(in_order(("level", "station", "point", "kind", "value", "p", "state", "Time")),),
    options=table_options("board.level", descending=True),
    defaults=PLAIN,
    overrides=(
        override("level", mappings=[in_words(ALERT_LEVELS)], displayName=Words("board.level")),
        override("station", unit="string", displayName=Words("board.station"), links=[STATION_LINK], custom__cellOptions=AS_LINK),
        override("point", unit="string", displayName=Words("board.point")),
        override("kind", mappings=[in_words(ALERT_KINDS)], displayName=Words("board.kind")),
        override("value", unit=unit("water.salinity"), decimals=1, displayName=Words("board.value")),
        override("p", unit="percentunit", decimals=0, displayName=Words("board.p")),
        override("state", mappings=[in_words(ALERT_STATES)], displayName=Words("board.state")),
        override("Time", **AGE, displayName=Words("board.changed")),
    ),
)

FORECAST = Panel(
    id=9,
    kind="table",
    title="board.days",
    about="board.days.about",
    at=(12, 18, 12, 9),
    queries=(
        Query(ref="H", text=heads("station", "point")),
        Query(
            ref="A",
            text='SELECT "station", "point", "q50", "q95", 10 * "p_gt_1" AS "over1", 10 * "p_gt_4" AS "over4", "issued" FROM "forecast"'
            f" WHERE time > now() - 1d AND time < now() + 10d AND \"target\" = 'day_max' AND {STANDS} AND {CHOSEN}",
            may_be_empty=NO_FORECAST,
        ),
        # today and tomorrow only: who has no forecast is told once or twice, not for each day it once reached
        Query(
            ref="B",
            text='SELECT "station", "point", "issued" FROM "forecast"'
            f" WHERE time > now() - 1d AND time < now() + 1d AND \"target\" = 'day_max' AND {STANDS_NOT} AND {CHOSEN}",
            may_be_empty="no forecast was taken back",
        ),
    ),
    transformations=(MERGE, without_heads(), in_order(("Time", "station", "point", "q50", "q95", "over1", "over4", "issued"))),
    options=table_options("board.day"),
    defaults={**PLAIN, "noValue": Words("board.days.none")},
    overrides=(
        override("Time", unit="time:ddd DD/MM", displayName=Words("board.day")),
        override("station", unit="string", displayName=Words("board.station")),
        override("point", unit="string", displayName=Words("board.point")),
        override("q50", unit=unit("water.salinity"), decimals=1, displayName=Words("board.q50")),
        override("q95", unit=unit("water.salinity"), decimals=1, displayName=Words("board.q95")),
        override("over1", unit=Words("board.of_ten", before="suffix:"), decimals=0, displayName=Words("board.p1")),
        override("over4", unit=Words("board.of_ten", before="suffix:"), decimals=0, displayName=Words("board.p4")),
        override("issued", **AGE, mappings=[in_words({"0": Words("board.taken_back")})], displayName=Words("board.issued")),
    ),
)

PUMP = Panel(
    id=15,
    kind="table",
    title="board.pump",
    about="board.pump.about",
    at=(0, 27, 24, 7),
    queries=(
        Query(
            ref="A",
            text=f'SELECT "station", "point", "pump_from", "pump_to", "pump_of_ten", "pump_limit" FROM {HOURS} WHERE "pump_of_ten" > 0',
            may_be_empty=NO_HOURS,
        ),
    ),
    transformations=(without("Time"), in_order(("station", "point", "pump_from", "pump_to", "pump_of_ten", "pump_limit"))),
    options=table_options("board.pump_from"),
    defaults={**PLAIN, "noValue": Words("board.pump.none")},
    overrides=(
        override("station", unit="string", displayName=Words("board.station"), links=[STATION_LINK], custom__cellOptions=AS_LINK),
        override("point", unit="string", displayName=Words("board.point")),
        override("pump_from", unit="time:ddd DD/MM HH:mm", displayName=Words("board.pump_from")),
        override("pump_to", unit="time:ddd DD/MM HH:mm", displayName=Words("board.pump_to")),
        override("pump_of_ten", unit=Words("board.of_ten", before="suffix:"), decimals=0, displayName=Words("board.p_under")),
        override("pump_limit", unit=unit("water.salinity"), decimals=1, displayName=Words("board.limit")),
    ),
)
