"""Pieces of Grafana's options that every board says alike: salinity and its bands, columns of a table, lines of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.bands import LINES as BAND_LINES
from core.quantities import QUANTITIES
from dashboards.board import Words
from dashboards.colours import BANDS, INK, NOT_KNOWN, SHAPES, UNKNOWN

Json = Mapping[str, object]

NOTHING = "nothing"  # a field that nobody writes: InfluxDB answers with nulls
_FAR = 1_000_000  # Grafana takes an open end of a range for 0
_WRITTEN = {"Cel": "°C", "m3/m3": "m³/m³", "m3/s": "m³/s", "deg": "°", "[pH]": "pH", "{NTU}": "NTU", "1": ""}


def unit(quantity: str) -> str:
    """Grafana's name for the unit of a quantity of the registry."""
    code = QUANTITIES[quantity].unit
    return f"suffix:{_WRITTEN.get(code, code)}"  # Grafana puts a space between


THRESHOLDS: Json = {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in zip((None, *BAND_LINES), BANDS, strict=True)]}
# without this mapping Grafana gives null the colour of the first step: fresh water
NULL: Json = {"type": "special", "options": {"match": "null+nan", "result": {"text": NOT_KNOWN, "color": UNKNOWN, "index": 0}}}
SALINITY: Json = {
    "unit": unit("water.salinity"),
    "decimals": QUANTITIES["water.salinity"].decimals,
    "thresholds": THRESHOLDS,
    "mappings": [NULL],
    "noValue": NOT_KNOWN,
}


def coloured_salinity() -> Json:
    """The field config of a salinity that is filled with its band's colour: only where stale and failed values are null already."""
    return {**SALINITY, "color": {"mode": "thresholds"}}


def bands_in_words() -> list[Json]:
    """Mappings from g/L to a band's word and shape. The saltier first: a value on a boundary takes the saltier band."""
    edges = (-_FAR, *BAND_LINES, _FAR)
    found: list[Json] = [NULL]
    for i in reversed(range(len(BANDS))):
        result = {"text": Words(f"band.{i}", after=f" {SHAPES[i]}"), "index": len(found)}
        found.append({"type": "range", "options": {"from": edges[i], "to": edges[i + 1], "result": result}})
    return found


def in_words(texts: Mapping[str, Words], colours: Mapping[str, str] | None = None) -> Json:
    """A mapping of values to texts, and to colours where given: never a band's."""
    return {
        "type": "value",
        "options": {value: {"text": text, "index": i, **({"color": colours[value]} if colours else {})} for i, (value, text) in enumerate(texts.items())},
    }


def override(name: str, **properties: object) -> Json:
    """What holds for the field `name`; `custom__width` stands for the property custom.width."""
    return {"matcher": {"id": "byName", "options": name}, "properties": _properties(properties)}


def override_like(pattern: str, **properties: object) -> Json:
    """What holds for every field whose name matches the regular expression."""
    return {"matcher": {"id": "byRegexp", "options": pattern}, "properties": _properties(properties)}


def override_of(ref: str, **properties: object) -> Json:
    """What holds for every field of the query `ref`."""
    return {"matcher": {"id": "byFrameRefID", "options": ref}, "properties": _properties(properties)}


def fixed(colour: str) -> Json:
    """One colour, whatever the value."""
    return {"mode": "fixed", "fixedColor": colour}


# text in ink and not `auto`: up to 11 a column of nulls alone has no type, and `auto` prints it as JSON, "null"
PLAIN: Json = {"color": fixed(INK), "noValue": "–", "custom": {"align": "auto", "cellOptions": {"type": "color-text"}, "inspect": False, "filterable": True}}
AS_LINK: Json = {"type": "auto"}  # a column of texts that never lacks one, and is seen to be a link
FILLED: Json = {"type": "color-background", "mode": "basic"}


def table_options(sort: str, *, descending: bool = False) -> Json:
    """A table sorted by the column shown as `sort`."""
    return {
        "showHeader": True,
        "frameIndex": 0,
        "sortBy": [{"displayName": Words(sort), "desc": descending}],
    }


def lines(*, points: str = "never", width: int = 2, span_ms: int | bool = False, **more: object) -> Json:
    """The custom part of a time series' fields. Gaps are not bridged beyond `span_ms`."""
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": width,
        "lineStyle": {"fill": "solid"},
        "fillOpacity": 0,
        "gradientMode": "none",
        "showPoints": points,
        "pointSize": 4,
        "spanNulls": span_ms,
        "axisPlacement": "auto",
        "axisLabel": "",
        "axisColorMode": "text",
        "scaleDistribution": {"type": "linear"},
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "stacking": {"group": "A", "mode": "none"},
        "thresholdsStyle": {"mode": "off"},
        **more,
    }


CHART_OPTIONS: Json = {
    "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
STAT_OPTIONS: Json = {
    "colorMode": "none",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "value",
    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
}


def without(*names: str) -> Json:
    """The transformation that drops these columns of every frame."""
    return {"id": "filterFieldsByName", "options": {"exclude": {"names": list(names)}}}


MERGE: Json = {"id": "merge", "options": {}}


def without_heads() -> Json:
    """The transformation that drops the rows of `heads` again: ids have no parentheses, labels end in one."""
    filters = [{"fieldName": "station", "config": {"id": "regex", "options": {"value": "[)]$"}}}]
    return {"id": "filterByValue", "options": {"type": "exclude", "match": "any", "filters": filters}}


def only_where(name: str) -> Json:
    """The transformation that keeps the rows in which the column `name` holds something."""
    return {
        "id": "filterByValue",
        "options": {"type": "include", "match": "all", "filters": [{"fieldName": name, "config": {"id": "isNotNull", "options": {}}}]},
    }


def in_order(names: Sequence[str]) -> Json:
    """The transformation that puts the columns in this order."""
    return {"id": "organize", "options": {"excludeByName": {}, "indexByName": {name: i for i, name in enumerate(names)}, "renameByName": {}}}


def _properties(properties: Mapping[str, object]) -> list[Json]:
    return [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
