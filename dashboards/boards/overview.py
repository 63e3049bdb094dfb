"""*Tổng quan*: how far the salt has come, which station is not known, what needs somebody now."""

from __future__ import annotations

from dashboards.board import Board, Variable
from dashboards.overview.counts import STATS
from dashboards.overview.devices import HEALTH
from dashboards.overview.ground import SOIL
from dashboards.overview.lines import FLAG_LINES, SALINITY_LINES
from dashboards.overview.outlook import ALERTS, FORECAST, PUMP
from dashboards.overview.stations import MAP, TABLE
from dashboards.overview.where import NO_LATEST, OF_WATERWAY, UID

BOARD = Board(
    uid=UID,
    title="board.overview",
    about="board.overview.about",
    tags=("canhman",),
    end="now+3d",
    variables=(
        Variable(name="datasource", label="board.datasource", kind="datasource", query="influxdb", current="canhman"),
        Variable(
            name="waterway",
            label="board.waterway",
            query='SELECT distinct("waterway_name") FROM (SELECT last("waterway_name") AS "waterway_name" FROM "station" GROUP BY "station")',
            regex="/.+/",
            all_value=".*",
        ),
        Variable(
            name="of_waterway",
            label="board.of_waterway",
            query=f'SELECT "station" FROM (SELECT last("name") AS "name", "waterway_name" FROM "station" GROUP BY "station") WHERE {OF_WATERWAY}',
            every=True,
        ),
        Variable(
            name="station",
            label="board.station",
            query=f'SELECT "label" FROM (SELECT last("label") AS "label", "waterway_name" FROM "station" GROUP BY "station") WHERE {OF_WATERWAY}',
            regex=r"/^(?<text>.* \((?<value>[a-z0-9-]+)\))$/",
            multi=True,
        ),
        Variable(
            name="point",
            label="board.point",
            query='SELECT "point" FROM (SELECT last("seen") AS "seen" FROM "latest" WHERE time > now() - 60d'
            ' AND "station" =~ /^${station:regex}$/ GROUP BY "point")',
            multi=True,
            all_value=".*",
            may_be_empty=NO_LATEST,
        ),
    ),
    panels=(*STATS, MAP, TABLE, ALERTS, FORECAST, PUMP, SALINITY_LINES, FLAG_LINES, *SOIL, HEALTH),
)
