"""Soil of the chosen stations, one line a depth."""

from __future__ import annotations

from dashboards.board import Panel, Query
from dashboards.colours import LINES
from dashboards.overview.lines import FIRST, PER_SERIES, SECOND, SPAN_MS
from dashboards.overview.where import CHOSEN, NO_SOIL
from dashboards.panels import (
    CHART_OPTIONS,
    fixed,
    lines,
    override_like,
    unit,
)


def _per_point(measurement: str, field: str) -> str:
    series = f'"{measurement}" WHERE $timeFilter AND {CHOSEN} AND "{field}_qc" < 3 {PER_SERIES}'
    return f'SELECT mean("{field}") AS "{field}" FROM {series} fill(null)'


def _soil(id: int, name: str, fields: tuple[str, ...], x: int) -> Panel:
    return Panel(
        id=id,
        kind="timeseries",
        title=f"board.{name}",
        about=f"board.{name}.about",
        at=(x, 52, 12, 8),
        interval="15m",
        queries=tuple(
            Query(ref=ref, text=_per_point("soil", field), form="time_series", alias="$tag_station $tag_point ($tag_sensor) $col", may_be_empty=NO_SOIL)
            for ref, field in zip("ABC", fields, strict=False)
        ),
        options=CHART_OPTIONS,
        defaults={"unit": unit(f"soil.{fields[0]}"), "decimals": 2, "color": fixed(LINES[3]), "custom": lines(points="auto", span_ms=SPAN_MS)},
        overrides=(
            override_like(f"/ ({FIRST})[ ]/", color=fixed(LINES[0])),
            override_like(f"/ ({SECOND})[ ]/", color=fixed(LINES[1])),
            override_like("/ ec_bulk$/", custom__lineStyle={"fill": "dash", "dash": [10, 10]}),
        ),
    )


SOIL = (_soil(12, "moisture", ("moisture",), 0), _soil(13, "soil_ec", ("ec_pore", "ec_bulk"), 12))
