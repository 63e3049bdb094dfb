"""What the queries of *Tổng quan* have in common: which stations, which points, and what alone may be coloured."""

from __future__ import annotations

from dashboards.board import Words
from dashboards.panels import NOTHING, Json

UID = "canhman-tong-quan"

# why a query may have no row
NO_WATER = "no salinity measured: a farm with soil probes alone has none, else does canhman ingest run?"
NO_LATEST = "no point has a newest salinity: a farm with soil probes alone has none, else does canhman alerts run?"
NO_FRESH = "no salinity is fresh and good now"
NO_HOURS = "no hours to pump: nothing is fresh, good and forecast to stay under the limit"
NO_FORECAST = "no forecast that stands: the first comes after days of data, from canhman forecast, and one that is taken back or a day old is none"
NO_SOIL = "no soil probe"
NO_ALERT = "no alert is open"
NOT_FLAGGED = "nothing is flagged"
NO_STATUS = "no device sends battery or signal"
NO_PLACE = "no station has a position"

HERE = '"station" =~ /^${of_waterway:regex}$/'  # the stations of the chosen waterway
CHOSEN = '"station" =~ /^${station:regex}$/ AND "point" =~ /^${point:regex}$/'
OF_WATERWAY = '"waterway_name" =~ /^${waterway:regex}$/'

# what is forecast and stands; what was taken back, or grew too old to be told: docs/influxdb.md
STANDS = '"lead" = \'latest\' AND "issued" > 0'
STANDS_NOT = '"lead" = \'latest\' AND "issued" = 0'

STATIONS = '(SELECT last("name") AS "name", "lat", "lon", "km", "waterway_name" FROM "station" GROUP BY "station")'
# the rows a colour may be taken from: good, and not older than the point's stale_after (docs/decisions/0018)
FRESH = f'SELECT last("salinity") AS "salinity" FROM "latest" WHERE time > now() AND "fresh" = 1 AND {HERE}'
FRESH_STATIONS = f'({FRESH} AND "verdict" = 1 GROUP BY "station")'
FRESH_POINTS = f'({FRESH} GROUP BY "station", "point")'
# the next hours to pump go with the fresh value, and leave the board with it
HOURS = (
    '(SELECT last("pump_from") AS "pump_from", "pump_to", "pump_of_ten", "pump_limit" FROM "latest"'
    f' WHERE time > now() AND "fresh" = 1 AND {HERE} GROUP BY "station", "point")'
)
HEAD = f'(SELECT last("label") AS "label", "waterway_name" FROM "station" GROUP BY "station") WHERE {OF_WATERWAY} LIMIT 1'
# columns of nulls, so that they are there ("not known") when no station at all has a fresh value; in the last frame, after the numbers
UNKNOWN_YET = f'SELECT "label" AS "station", "{NOTHING}" AS "salinity", "{NOTHING}" AS "band" FROM {HEAD}'
LAST_OF_ALERTS = f'(SELECT last("level") AS "level", "state", "value", "p" FROM "alert" WHERE {HERE} GROUP BY "station", "point", "kind", "line")'
# of the lines of one point and kind the highest that is open
OPEN_ALERTS = f'(SELECT max("level") AS "level", "state", "value", "p" FROM {LAST_OF_ALERTS} WHERE "state" != \'cleared\' GROUP BY "station", "point", "kind")'


def heads(*names: str) -> str:
    """The first query of a table that merges: one row of texts, which `without_heads` drops.

    Up to 10 Grafana takes a column for numbers whose first value is `0012` or `1e5`, and loses every other; merge takes the type of the
    first frame. A label ends in ")" and is never a number.
    """
    return "SELECT " + ", ".join(f'"label" AS "{name}"' for name in names) + f" FROM {HEAD}"


AGE: Json = {"unit": "dateTimeFromNow"}
STATION_LINK: Json = {
    "title": Words("board.open_station"),
    "url": f"/d/{UID}?${{datasource:queryparam}}&${{waterway:queryparam}}&var-station=${{__data.fields.station}}&${{__url_time_range}}",
    "targetBlank": False,
}
