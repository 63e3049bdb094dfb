"""What may have a colour: the bands' thresholds are those of the bands, null is grey, and a fill comes from fresh and good values alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dashboards import allowed
from dashboards.colours import BANDS, INK, LINES, PALE, UNKNOWN
from dashboards.panels import NOTHING, THRESHOLDS, bands_in_words

Document = Mapping[str, Any]

_NULLS = {"match": "null+nan", "color": UNKNOWN}
_COLOURED = frozenset({"salinity", "band"})
# the one text a column of a band's colour may come from: nothing but the chosen stations and points, the verdict point and the grouping differs
_FRESH = re.compile(
    r'FROM \(SELECT last\("salinity"\) AS "salinity" FROM "latest" WHERE time > now\(\) AND "fresh" = 1'
    r'(?: AND "(?:station|point)" =~ /\^\$\{\w+:regex\}\$/)*(?: AND "verdict" = 1)? GROUP BY "station"(?:, "point")?\)'
)
_COLUMN = re.compile(r'"([^"]*)"(?: AS "([^"]*)")?')
_PALETTE = frozenset({INK, UNKNOWN, PALE, "transparent", *LINES})


def colour_faults(panel: Document) -> Iterator[str]:
    """The faults of a panel's colours."""
    defaults = panel["fieldConfig"]["defaults"]
    overrides = [(_name(o["matcher"]), {p["id"]: p["value"] for p in o["properties"]}) for o in panel["fieldConfig"]["overrides"]]
    if defaults.get("color", {}).get("mode") != "fixed":
        yield "the fields' colour is not fixed: Grafana would colour every number by thresholds"
    for name, config in (("", defaults), *overrides):
        what = f"field {name!r}" if name else "its fields"
        mode = config.get("color", {}).get("mode")
        if mode is not None and mode not in allowed.COLOUR_MODES:
            yield f"{what}: colour mode {mode!r} is not on the list"
        if "thresholds" in config and config["thresholds"] != THRESHOLDS:
            yield f"{what}: thresholds are not the bands'"
        if mode == "thresholds":
            yield from _filled(what, name, config)
        yield from _others(what, config)
    by_name = dict(overrides)
    if "salinity" in by_name and panel["type"] in ("table", "geomap") and by_name["salinity"].get("thresholds") != THRESHOLDS:
        yield "the field 'salinity' lacks the bands' thresholds"
    if colours_by_band(panel):
        if len(by_name.get("band", {}).get("mappings", ())) != len(bands_in_words()):
            yield "no column 'band' says the bands in words and shapes: colour is never alone"
        yield from _sources(panel)
    yield from _option_faults(panel)


def colours_by_band(panel: Document) -> bool:
    """Whether anything of this panel has a band's colour: by thresholds, by a mapping or as a fixed colour."""
    fields = panel["fieldConfig"]
    values = [fields["defaults"], *({p["id"]: p["value"]} for o in fields["overrides"] for p in o["properties"])]
    by_thresholds = any(value.get("color", {}).get("mode") == "thresholds" for value in values)
    return by_thresholds or any(_has_band(colour) for value in (*values, panel.get("options")) for colour in _colours(value))


def _name(matcher: Document) -> str:
    """The field an override is for; one that is found by a pattern or a query is no field of a name."""
    return str(matcher["options"]) if matcher["id"] == "byName" else f"{matcher['id']} {matcher['options']}"


def _filled(what: str, name: str, config: Document) -> Iterator[str]:
    if name != "salinity":
        yield f"{what}: only the field 'salinity' is filled by band"
    if config.get("thresholds") != THRESHOLDS:
        yield f"{what}: colour by thresholds without the bands' thresholds"
    if not config.get("noValue"):
        yield f"{what}: no word for no value"
    first = (config.get("mappings") or [{}])[0]
    options = first.get("options", {})
    if first.get("type") != "special" or {"match": options.get("match"), "color": options.get("result", {}).get("color")} != _NULLS:
        yield f"{what}: null is not mapped to grey; Grafana would show it in the colour of fresh water"


def _sources(panel: Document) -> Iterator[str]:
    """Where the columns of a panel that colours come from: the fixed text of fresh and good values, or nulls."""
    for step in panel.get("transformations", ()):
        if step["id"] == "organize" and step["options"].get("renameByName"):
            yield "columns are renamed in a panel that colours: a name must say where its values come from"
    for target in panel["targets"]:
        begin, end = len("SELECT "), target["query"].find(" FROM ")
        for column in target["query"][begin:end].split(", "):
            found = _COLUMN.fullmatch(column)
            if found is None or target["resultFormat"] != "table":
                yield f"query {target['refId']}: {column!r} is no plain column of a table, in a panel that colours"
            elif (found[2] or found[1]) in _COLOURED and found[1] != NOTHING and (found[1] != "salinity" or not _FRESH.fullmatch(target["query"][end + 1 :])):
                yield f'query {target["refId"]} colours what is not fresh and good; take rows of `latest` with time > now() AND "fresh" = 1 and nothing else'


def _others(what: str, config: Document) -> Iterator[str]:
    """Colours given as such, in a mapping or fixed: a band's colour never, and none beside ink, grey and those of lines."""
    for key in ("mappings", "color", "custom"):
        for colour in _colours(config.get(key)):
            if _has_band(colour):
                yield f"{what}: {colour} is a colour of the bands; only thresholds on fresh salinity have it"
            elif colour not in _PALETTE:
                yield f"{what}: colour {colour!r} is none of the board's"


def _option_faults(panel: Document) -> Iterator[str]:
    for layer in panel["options"].get("layers", ()):
        colour = layer["config"]["style"]["color"]
        if colour.get("field", "salinity") != "salinity" or colour["fixed"] not in _PALETTE:
            yield f"layer {layer['name']!r} has a colour of its own"
    if panel["fieldConfig"]["defaults"].get("custom", {}).get("thresholdsStyle", {}).get("mode", "off") not in ("off", "line"):
        yield "a chart is filled by band: its lines hold old values too"
    if panel["options"].get("colorMode", "none") != "none":
        yield "a number is coloured: colour speaks of one station's water"


def _colours(value: Any) -> Iterator[str]:
    """Each colour a JSON value gives."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("color", "fixedColor", "fixed") and isinstance(inner, str):
                yield inner
            elif key != "thresholds":  # colours nothing by itself
                yield from _colours(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _colours(inner)


def _has_band(colour: str) -> bool:
    return colour.upper() in {band.upper() for band in BANDS}
