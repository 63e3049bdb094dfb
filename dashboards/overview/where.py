"""What the queries of *Tổng quan* have in common: which stations, which points, and what alone may be coloured."""

from __future__ import annotations

from dashboards.board import Words
from dashboards.panels import NOTHING, Json

UID = "canhman-tong-quan"

HERE = '"station" =~ /^${of_waterway:regex}$/'  # the stations of the chosen waterway
CHOSEN = '"station" =~ /^${station:regex}$/ AND "point" =~ /^${point:regex}$/'
OF_WATERWAY = '"waterway_name" =~ /^${waterway:regex}$/'

STATIONS = '(SELECT last("name") AS "name", "lat", "lon", "km", "waterway_name" FROM "station" GROUP BY "station")'
# the rows a colour may be taken from: good, and not older than the point's stale_after (docs/decisions/0018)
FRESH = f'SELECT last("salinity") AS "salinity" FROM "latest" WHERE time > now() AND "fresh" = 1 AND {HERE}'
FRESH_STATIONS = f'({FRESH} AND "verdict" = 1 GROUP BY "station")'
FRESH_POINTS = f'({FRESH} GROUP BY "station", "point")'
# columns of nulls, so that they are there ("not known") when no station at all has a fresh value
UNKNOWN_YET = f'"{NOTHING}" AS "salinity", "{NOTHING}" AS "band"'
LAST_OF_ALERTS = f'(SELECT last("level") AS "level", "state", "value", "p" FROM "alert" WHERE {HERE} GROUP BY "station", "point", "kind", "line")'
# of the lines of one point and kind the highest that is open
OPEN_ALERTS = f'(SELECT max("level") AS "level", "state", "value", "p" FROM {LAST_OF_ALERTS} WHERE "state" != \'cleared\' GROUP BY "station", "point", "kind")'

AGE: Json = {"unit": "dateTimeFromNow"}
STATION_LINK: Json = {
    "title": Words("board.open_station"),
    "url": f"/d/{UID}?${{datasource:queryparam}}&${{waterway:queryparam}}&var-station=${{__data.fields.station}}&${{__url_time_range}}",
    "targetBlank": False,
}
