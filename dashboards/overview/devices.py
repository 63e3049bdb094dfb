"""How the sensors are: who is silent, and battery and signal."""

from __future__ import annotations

from dashboards.board import Panel, Query, Words
from dashboards.overview.where import AGE, HERE, NO_SOIL, NO_STATUS, NO_WATER, STATION_LINK, heads
from dashboards.panels import (
    AS_LINK,
    MERGE,
    PLAIN,
    in_order,
    override,
    table_options,
    unit,
    without,
    without_heads,
)

RECENT = f'time > now() - 31d AND time < now() + 1h AND {HERE} GROUP BY "station", "sensor"'
_WHY = {"water": NO_WATER, "soil": NO_SOIL, "device": NO_STATUS}


def _heard(ref: str, measurement: str, name: str, more: str = "") -> Query:
    """When each sensor last sent something of this measurement."""
    inner = f'SELECT last("rx") AS "{name}"' + "".join(f', last("{field}") AS "{field}"' for field in more.split())
    outer = ", ".join(f'"{field}"' for field in ("station", "sensor", name, *more.split()))
    return Query(ref=ref, text=f'SELECT {outer} FROM ({inner} FROM "{measurement}" WHERE {RECENT})', may_be_empty=_WHY[measurement])


HEALTH = Panel(
    id=14,
    kind="table",
    title="board.health",
    about="board.health.about",
    at=(0, 60, 24, 10),
    queries=(
        Query(ref="H", text=heads("station", "sensor")),
        _heard("A", "water", "measured"),
        _heard("B", "soil", "soil"),
        _heard("C", "device", "heard", "battery rssi"),
    ),
    transformations=(without("Time"), MERGE, without_heads(), in_order(("station", "sensor", "measured", "soil", "heard", "battery", "rssi"))),
    options=table_options("board.measured"),
    defaults=PLAIN,
    overrides=(
        override("station", displayName=Words("board.station"), links=[STATION_LINK], custom__cellOptions=AS_LINK),
        override("sensor", displayName=Words("board.sensor")),
        override("measured", **AGE, displayName=Words("board.measured")),
        override("soil", **AGE, displayName=Words("board.soil_seen")),
        override("heard", **AGE, displayName=Words("board.heard")),
        override("battery", unit=unit("device.battery"), decimals=2, displayName=Words("board.battery")),
        override("rssi", unit=unit("device.rssi"), decimals=0, displayName=Words("board.rssi")),
    ),
)
