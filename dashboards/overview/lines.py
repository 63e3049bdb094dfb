"""Salinity of the chosen stations as lines, one of each point and sensor, with what was flagged and what is forecast."""

from __future__ import annotations

from dashboards.board import Panel, Query, Words
from dashboards.colours import INK, LINES, PALE, UNKNOWN
from dashboards.overview.where import CHOSEN, NO_FORECAST, NO_WATER, NOT_FLAGGED, STANDS
from dashboards.panels import (
    CHART_OPTIONS,
    SALINITY,
    Json,
    fixed,
    in_words,
    lines,
    override,
    override_like,
    override_of,
)

PER_SERIES = 'GROUP BY time($__interval), "station", "point", "sensor"'
SPAN_MS = 3 * 3_600_000  # two-hourly readings are still a line, a longer silence is a gap

FIRST = "main|in|top|d10"  # points by the order of their lines' colours
SECOND = "out|bottom|d30"
KNOWN_POINTS = ("main", "in", "out", "top", "bottom", "d10", "d30")
FLAGS = {str(flag): Words(f"flag.{flag}") for flag in (1, 2, 3, 4, 9)}


def _salinity(flags: str, fill: str) -> str:
    return f'SELECT max("salinity") AS "salinity" FROM "water" WHERE $timeFilter AND {CHOSEN} AND {flags} {PER_SERIES} fill({fill})'


def _fan(point: str) -> Json:
    """The band of the forecast at a point we know by name: from its q95 down to its q05."""
    return override(f"{point} q95", custom__fillBelowTo=f"{point} q05", custom__fillOpacity=15)


SALINITY_LINES = Panel(
    id=10,
    kind="timeseries",
    title="board.lines",
    about="board.lines.about",
    at=(0, 34, 24, 11),
    repeat="station",
    interval="15m",
    queries=(
        Query(ref="A", text=_salinity('"salinity_qc" = 1', "null"), form="time_series", alias="$tag_point ($tag_sensor)", may_be_empty=NO_WATER),
        Query(
            ref="B",
            text=_salinity('("salinity_qc" = 3 OR "salinity_qc" = 4)', "none"),
            form="time_series",
            alias=Words("board.flagged", before="✕ ", after=" $tag_point ($tag_sensor)"),
            may_be_empty=NOT_FLAGGED,
        ),
        Query(
            ref="C",
            text=_salinity('"salinity_qc" = 2', "none"),
            form="time_series",
            alias=Words("board.unjudged", before="? ", after=" $tag_point ($tag_sensor)"),
            may_be_empty="nothing waits to be judged",
        ),
        Query(
            ref="D",
            text='SELECT "q05", "q50", "q95" FROM "forecast" WHERE $timeFilter AND time > now() - 1h'
            f' AND "target" = \'hour\' AND {STANDS} AND {CHOSEN} GROUP BY "station", "point"',
            form="time_series",
            alias="$tag_point $col",
            may_be_empty=NO_FORECAST,
        ),
    ),
    options=CHART_OPTIONS,
    defaults={
        **SALINITY,
        "color": fixed(LINES[3]),
        "min": 0,
        "custom": lines(points="auto", span_ms=SPAN_MS, axisSoftMax=5, axisLabel=Words("board.salinity"), thresholdsStyle={"mode": "line"}),
    },
    overrides=(
        override_like(f"/^({FIRST})[ ]/", color=fixed(LINES[0])),
        override_like(f"/^({SECOND})[ ]/", color=fixed(LINES[1])),
        override_like("/ q(05|95)$/", custom__lineWidth=0, custom__showPoints="never", custom__hideFrom={"legend": True, "tooltip": False, "viz": False}),
        override_like("/ q50$/", custom__lineStyle={"fill": "dash", "dash": [10, 10]}, custom__showPoints="never"),
        *(_fan(point) for point in KNOWN_POINTS),
        override_of("B", color=fixed(INK), custom__drawStyle="points", custom__showPoints="always", custom__pointSize=7),
        override_of("C", color=fixed(UNKNOWN), custom__drawStyle="points", custom__showPoints="always", custom__pointSize=5),
    ),
)

FLAG_COLOURS = {"1": PALE, "2": "transparent", "3": UNKNOWN, "4": INK}
FLAG_LINES = Panel(
    id=11,
    kind="state-timeline",
    title="board.flags",
    about="board.flags.about",
    at=(0, 45, 24, 7),
    interval="15m",
    queries=(
        Query(
            ref="A",
            text=f'SELECT max("salinity_qc") AS "flag" FROM "water" WHERE $timeFilter AND {CHOSEN} AND "salinity_qc" < 9 {PER_SERIES} fill(null)',
            form="time_series",
            alias="$tag_station $tag_point ($tag_sensor)",
            may_be_empty=NO_WATER,
        ),
    ),
    options={
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    },
    defaults={
        "color": fixed(UNKNOWN),
        "custom": {"fillOpacity": 90, "lineWidth": 1, "spanNulls": SPAN_MS},
        "mappings": [in_words({flag: FLAGS[flag] for flag in FLAG_COLOURS}, FLAG_COLOURS)],
    },
)
