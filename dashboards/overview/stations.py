"""Where every station stands now: the map and the table. What is not fresh and good is grey and says so."""

from __future__ import annotations

from dashboards.board import Panel, Query, Words
from dashboards.colours import INK, UNKNOWN
from dashboards.overview.where import (
    AGE,
    FRESH_POINTS,
    FRESH_STATIONS,
    HERE,
    NO_FRESH,
    NO_LATEST,
    NO_PLACE,
    OF_WATERWAY,
    STATION_LINK,
    STATIONS,
    UNKNOWN_YET,
    heads,
)
from dashboards.panels import (
    AS_LINK,
    FILLED,
    MERGE,
    PLAIN,
    THRESHOLDS,
    Json,
    bands_in_words,
    coloured_salinity,
    fixed,
    in_order,
    in_words,
    only_where,
    override,
    table_options,
    without,
    without_heads,
)

FLAGS = {str(flag): Words(f"flag.{flag}") for flag in (1, 2, 3, 4, 9)}


def _layer(name: str, colour: Json, size: int, *, legend: bool = False, text: str = "") -> Json:
    style: dict[str, object] = {
        "color": colour,
        "opacity": 1,
        "size": {"fixed": size, "min": size, "max": size},
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
        "rotation": {"fixed": 0, "mode": "mod", "min": -360, "max": 360},
    }
    if text:
        style |= {
            "text": {"mode": "field", "field": text, "fixed": ""},
            "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": 16, "textAlign": "center", "textBaseline": "middle"},
        }
    return {
        "type": "markers",
        "name": name,
        "config": {"showLegend": legend, "style": style},
        "location": {"mode": "coords", "latitude": "lat", "longitude": "lon"},
        "tooltip": legend,
    }


MAP = Panel(
    id=6,
    kind="geomap",
    title="board.map",
    about="board.map.about",
    at=(0, 4, 10, 14),
    queries=(
        Query(ref="H", text=heads("station", "name", "waterway_name")),
        Query(
            ref="A",
            text=f'SELECT "station", "name", "waterway_name", "km", "lat", "lon" FROM {STATIONS} WHERE {OF_WATERWAY} AND "lat" > -90',
            may_be_empty=NO_PLACE,
        ),
        Query(ref="B", text=f'SELECT "station", "salinity", "salinity" AS "band" FROM {FRESH_STATIONS}', may_be_empty=NO_FRESH),
    ),
    transformations=(without("Time"), MERGE, without_heads(), only_where("lat")),
    options={
        "basemap": {"type": "default", "name": "Layer 0", "config": {}},
        "controls": {"mouseWheelZoom": False, "showAttribution": True, "showDebug": False, "showMeasure": False, "showScale": True, "showZoom": True},
        # an ink disc under each marker is its outline: the palest band would be lost on a pale map
        "layers": [
            _layer("outline", {"fixed": INK}, 9),
            _layer("salinity", {"field": "salinity", "fixed": UNKNOWN}, 7, legend=True),
            _layer("name", {"fixed": INK}, 1, text="name"),
        ],
        "tooltip": {"mode": "details"},
        "view": {"id": "fit", "allLayers": True, "lat": 9.8, "lon": 105.6, "zoom": 9, "maxZoom": 12, "padding": 10},
    },
    defaults={"color": fixed(INK), "thresholds": THRESHOLDS},
    overrides=(
        override("salinity", **coloured_salinity(), displayName=Words("board.salinity")),
        override("band", mappings=bands_in_words(), displayName=Words("board.band")),
        override("name", displayName=Words("board.station"), links=[STATION_LINK]),
        override("waterway_name", displayName=Words("board.waterway")),
        override("km", displayName=Words("board.km"), decimals=0),
    ),
)

STATION_COLUMNS = ("name", "waterway_name", "km", "point", "salinity", "band", "flag", "seen", "station")
TABLE = Panel(
    id=7,
    kind="table",
    title="board.table",
    about="board.table.about",
    at=(10, 4, 14, 14),
    # the order matters to merge: types of texts, rows of points, what is fresh, what belongs to every point of a station, and the columns of nulls
    queries=(
        Query(ref="H", text=heads("station", "point", "name", "waterway_name")),
        Query(
            ref="A",
            text='SELECT "station", "point", "flag", "seen" FROM (SELECT last("seen") AS "seen", "flag" FROM "latest"'
            f' WHERE time > now() - 60d AND {HERE} GROUP BY "station", "point")',
            may_be_empty=NO_LATEST,
        ),
        Query(
            ref="B",
            text=f'SELECT "station", "point", "salinity", "salinity" AS "band" FROM {FRESH_POINTS}',
            may_be_empty=NO_FRESH,
        ),
        Query(ref="C", text=f'SELECT "station", "name", "waterway_name", "km" FROM {STATIONS} WHERE {OF_WATERWAY}'),
        Query(ref="N", text=UNKNOWN_YET),
    ),
    transformations=(without("Time"), MERGE, without_heads(), in_order(STATION_COLUMNS)),
    options=table_options("board.salinity", descending=True),
    defaults=PLAIN,
    overrides=(
        override("name", displayName=Words("board.station"), links=[STATION_LINK], custom__cellOptions=AS_LINK, custom__width=170),
        override("waterway_name", displayName=Words("board.waterway"), custom__width=130),
        override("km", displayName=Words("board.km"), decimals=0, custom__width=60),
        override("point", displayName=Words("board.point"), custom__width=80),
        override("salinity", **coloured_salinity(), custom__cellOptions=FILLED, displayName=Words("board.salinity"), custom__width=110),
        override("band", mappings=bands_in_words(), noValue=Words("band.unknown", after=" ?"), displayName=Words("board.band"), custom__width=120),
        override("flag", mappings=[in_words(FLAGS)], displayName=Words("board.flag"), custom__width=95),
        override("seen", **AGE, displayName=Words("board.seen")),
        override("station", displayName=Words("board.id")),
    ),
)
