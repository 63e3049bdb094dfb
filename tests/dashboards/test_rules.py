"""Each rule of boards can fail: one fault is planted in a sound board, and the rule names it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dashboards.build import as_json, boards
from dashboards.overview.where import HERE
from dashboards.query_rules import text_faults
from dashboards.rules import faults

Document = dict[str, Any]
SOUND = as_json(boards()["canhman-tong-quan"], "vi")


def panel(document: Document, id: int) -> Document:
    return next(p for p in document["panels"] if p["id"] == id)


def of_field(document: Document, id: int, name: str) -> list[Document]:
    """The properties that are overridden for a field."""
    return next(o["properties"] for o in panel(document, id)["fieldConfig"]["overrides"] if o["matcher"]["options"] == name)


def put(document: Document, id: int, name: str, property: str, value: Any) -> None:
    """Override one property of a field."""
    properties = of_field(document, id, name)
    properties[:] = [p for p in properties if p["id"] != property] + [{"id": property, "value": value}]


def drop(document: Document, id: int, name: str, property: str) -> None:
    properties = of_field(document, id, name)
    properties[:] = [p for p in properties if p["id"] != property]


def query(document: Document, id: int, ref: str, old: str, new: str) -> None:
    """Change a query's text; the text changed must be there."""
    target = next(t for t in panel(document, id)["targets"] if t["refId"] == ref)
    assert old in target["query"]
    target["query"] = target["query"].replace(old, new)


def ask(document: Document, id: int, ref: str, text: str) -> None:
    """Put another query in its place."""
    next(t for t in panel(document, id)["targets"] if t["refId"] == ref)["query"] = text


NOT_FRESH = "colours what is not fresh and good"
Plant = Callable[[Document], object]
FAULTS: dict[str, tuple[Plant, str]] = {
    "uid": (lambda d: d.update(uid="Tổng quan"), "is no slug"),
    "schema": (lambda d: d.update(schemaVersion=41), "schemaVersion 41"),
    "zone": (lambda d: d.update(timezone="browser"), "local time"),
    "exported": (lambda d: d.update(__inputs=[]), "'__inputs'"),
    "numbered": (lambda d: d.update(id=7), "'id' belongs to one Grafana"),
    "no title": (lambda d: d.update(title=""), "no title"),
    "no about": (lambda d: panel(d, 7).update(description=""), "no description"),
    "markup": (lambda d: panel(d, 7).update(description="<b>x</b>"), "holds markup"),
    "id twice": (lambda d: panel(d, 7).update(id=6), "panel id 6"),
    "id none": (lambda d: panel(d, 7).update(id=None), "panel id None"),
    "type": (lambda d: panel(d, 7).update(type="text"), "type 'text'"),
    "angular": (lambda d: panel(d, 10).update(type="graph"), "type 'graph'"),
    "library": (lambda d: panel(d, 7).update(libraryPanel={"uid": "x"}), "key 'libraryPanel'"),
    "option": (lambda d: panel(d, 7)["options"].update(frozenColumns={"left": 1}), "option 'frozenColumns.left'"),
    "option deep": (lambda d: panel(d, 6)["options"]["layers"][1]["config"]["style"].update(glow=1), "option 'layers.config.style.glow'"),
    "default": (lambda d: panel(d, 7)["fieldConfig"]["defaults"].update(fieldMinMax=True), "field default 'fieldMinMax'"),
    "custom": (lambda d: panel(d, 10)["fieldConfig"]["defaults"]["custom"].update(insertNulls=True), "custom 'insertNulls'"),
    "property": (lambda d: put(d, 7, "km", "actions", []), "property 'actions'"),
    "custom property": (lambda d: put(d, 7, "km", "custom.hidden", True), "property 'custom.hidden'"),
    "matcher": (lambda d: panel(d, 7)["fieldConfig"]["overrides"][0]["matcher"].update(id="byValue"), "matcher 'byValue'"),
    "html cell": (lambda d: put(d, 7, "name", "custom.cellOptions", {"type": "markdown"}), "cell 'markdown'"),
    "overlap": (lambda d: panel(d, 7)["gridPos"].update(x=9), "panels 6 and 7 overlap"),
    "wide": (lambda d: panel(d, 7)["gridPos"].update(w=15), "is not inside 24 columns"),
    "datasource uid": (lambda d: panel(d, 7).update(datasource={"type": "influxdb", "uid": "canhman"}), "not the variable ${datasource}"),
    "target uid": (lambda d: panel(d, 7)["targets"][0].update(datasource={"type": "influxdb", "uid": "P1"}), "not the variable ${datasource}"),
    "no datasource": (lambda d: panel(d, 7).pop("datasource"), "names no datasource"),
    "no target datasource": (lambda d: panel(d, 7)["targets"][0].pop("datasource"), "names no datasource"),
    "variable uid": (lambda d: d["templating"]["list"][1].update(datasource="canhman"), "not the variable ${datasource}"),
    "variable first": (lambda d: d["templating"]["list"].pop(0), "the first variable must be `datasource`"),
    "variable twice": (lambda d: d["templating"]["list"][2].update(name="waterway"), "two variables of one name"),
    "variable type": (lambda d: d["templating"]["list"][1].update(type="custom"), "is of type 'custom'"),
    "variable unknown": (lambda d: panel(d, 10).update(title="${place:text}"), "${place} is no variable"),
    "variable query": (lambda d: d["templating"]["list"][1].update(query='SELECT "river" FROM "station"'), "variable 'waterway': field 'river'"),
    "link out": (lambda d: put(d, 7, "name", "links", [{"title": "x", "url": "https://x.example"}]), "leaves the boards"),
    "link script": (lambda d: put(d, 7, "name", "links", [{"title": "x", "url": "javascript:alert(1)"}]), "leaves the boards"),
    "transformation": (lambda d: panel(d, 7)["transformations"].append({"id": "joinByLabels", "options": {}}), "transformation 'joinByLabels'"),
    "transformation option": (lambda d: panel(d, 7)["transformations"][-1]["options"].update(orderByMode="auto"), "option 'orderByMode' of 'organize'"),
    "two refs": (lambda d: panel(d, 7)["targets"][2].update(refId="A"), "a letter of their own"),
    "not raw": (lambda d: panel(d, 7)["targets"][0].update(rawQuery=False), "is not raw InfluxQL"),
    "target key": (lambda d: panel(d, 7)["targets"][0].update(hide=True), "key 'hide' of query H"),
    "field": (lambda d: query(d, 10, "A", '"salinity")', '"salt")'), "field 'salt' does not exist in water"),
    "flag field": (lambda d: query(d, 10, "A", "salinity_qc", "salinity_flag"), "field 'salinity_flag'"),
    "field elsewhere": (lambda d: query(d, 7, "A", '"seen"', '"battery"'), "field 'battery' does not exist in latest"),
    "measurement": (lambda d: query(d, 10, "A", '"water"', '"sea"'), "measurement 'sea'"),
    "unit of a chart": (lambda d: panel(d, 12)["fieldConfig"]["defaults"].update(unit="percent"), "unit 'percent' is not that of soil.moisture"),
    "unit of a column": (lambda d: put(d, 7, "salinity", "unit", "suffix:mg/L"), "unit 'suffix:mg/L' of 'salinity'"),
    "unit of the air": (lambda d: put(d, 14, "measured", "unit", "suffix:ppm"), "is none of the registry"),
    "unit of Grafana's": (lambda d: put(d, 14, "measured", "unit", "short"), "unit 'short' of 'measured' is not on the list"),
    "thresholds": (lambda d: put(d, 7, "salinity", "thresholds", {"mode": "absolute", "steps": [{"value": None, "color": "green"}]}), "are not the bands'"),
    "thresholds gone": (lambda d: drop(d, 6, "salinity", "thresholds"), "lacks the bands' thresholds"),
    "null is fresh": (lambda d: put(d, 7, "salinity", "mappings", []), "null is not mapped to grey"),
    "null is blue": (
        lambda d: put(d, 7, "salinity", "mappings", [{"type": "special", "options": {"match": "null+nan", "result": {"color": "#CDEFFA"}}}]),
        "null is not mapped to grey",
    ),
    "no word": (lambda d: drop(d, 7, "salinity", "noValue"), "no word for no value"),
    "colour by default": (lambda d: panel(d, 7)["fieldConfig"]["defaults"].pop("color"), "colour is not fixed"),
    "colour mode": (lambda d: put(d, 7, "km", "color", {"mode": "continuous-GrYlRd"}), "colour mode 'continuous-GrYlRd'"),
    "colour of a forecast": (lambda d: put(d, 9, "q50", "color", {"mode": "thresholds"}), "only the field 'salinity' is filled by band"),
    "colour of a flag": (lambda d: put(d, 7, "flag", "color", {"mode": "fixed", "fixedColor": "#A3261B"}), "#A3261B is a colour of the bands"),
    "not fresh": (lambda d: query(d, 7, "B", ' AND "fresh" = 1', ""), "colours what is not fresh and good"),
    "no time": (lambda d: query(d, 6, "B", "time > now() AND ", ""), "colours what is not fresh and good"),
    "all the time": (lambda d: query(d, 6, "B", "time > now() AND ", "time > now() - 2h AND "), "colours what is not fresh and good"),
    "the raw reading": (
        lambda d: ask(d, 7, "B", f'SELECT "station", "point", "salinity" FROM "water" WHERE time > now() - 1h AND {HERE}'),
        "colours what is not fresh and good",
    ),
    "or": (lambda d: query(d, 7, "B", '"fresh" = 1 AND ', '"fresh" = 1 AND "flag" = 1 OR '), NOT_FRESH),
    "or at the end": (lambda d: query(d, 7, "B", ' GROUP BY "station", "point"', ' OR "flag" = 3 GROUP BY "station", "point"'), NOT_FRESH),
    "a second from": (lambda d: query(d, 7, "B", "FROM (", 'FROM (SELECT "salinity" FROM "water"), ('), NOT_FRESH),
    "fresh as text": (lambda d: query(d, 7, "B", '"fresh" = 1', "\"fresh\" = '1'"), NOT_FRESH),
    "a forecast": (lambda d: ask(d, 7, "B", f'SELECT "station", "point", "q50" AS "salinity" FROM "forecast" WHERE {HERE}'), NOT_FRESH),
    "an alert's value": (lambda d: ask(d, 7, "B", f'SELECT "station", "point", "value" AS "band" FROM "alert" WHERE {HERE}'), NOT_FRESH),
    "conductivity": (lambda d: ask(d, 7, "B", f'SELECT "station", "ec" AS "salinity" FROM "water" WHERE {HERE}'), NOT_FRESH),
    "a flag": (lambda d: query(d, 7, "B", '"salinity" AS "band"', '"station" AS "band"'), NOT_FRESH),
    "the row of any age": (lambda d: query(d, 7, "A", '"flag", "seen" FROM', '"flag", "seen", "flag" AS "salinity" FROM'), NOT_FRESH),
    "everything": (lambda d: ask(d, 7, "B", f'SELECT * FROM "latest" WHERE {HERE}'), "'*' is no plain column"),
    "one more query": (
        lambda d: panel(d, 7)["targets"].append({**panel(d, 7)["targets"][1], "refId": "Z", "query": f'SELECT "salinity" FROM "water" WHERE {HERE}'}),
        NOT_FRESH,
    ),
    "renamed": (lambda d: panel(d, 7)["transformations"][-1]["options"].update(renameByName={"flag": "salinity"}), "columns are renamed"),
    "level coloured": (
        lambda d: put(d, 8, "level", "mappings", [{"type": "value", "options": {"3": {"text": "Mặn", "color": "#a3261b"}}}]),
        "#a3261b is a colour of the bands",
    ),
    "colour of Grafana's": (lambda d: panel(d, 10)["fieldConfig"]["defaults"].update(color={"mode": "fixed", "fixedColor": "light-blue"}), "'light-blue'"),
    "colour by pattern": (
        lambda d: panel(d, 14)["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byRegexp", "options": "salinity"}, "properties": [{"id": "color", "value": {"mode": "thresholds"}}]}
        ),
        "only the field 'salinity' is filled by band",
    ),
    "colour of a number": (lambda d: panel(d, 1)["options"].update(colorMode="background"), "a number is coloured"),
    "colour of a layer": (lambda d: panel(d, 6)["options"]["layers"][1]["config"]["style"]["color"].update(field="km"), "a colour of its own"),
    "chart filled": (lambda d: panel(d, 10)["fieldConfig"]["defaults"]["custom"].update(thresholdsStyle={"mode": "area"}), "a chart is filled by band"),
    "no word of the band": (lambda d: drop(d, 7, "band", "mappings"), "colour is never alone"),
    "no heads": (lambda d: panel(d, 7)["targets"].pop(0), "texts of 'station' may look like numbers"),
    "no head of names": (lambda d: query(d, 6, "H", ', "label" AS "name"', ""), "texts of 'name' may look like numbers"),
    "no head of sensors": (lambda d: query(d, 14, "H", ', "label" AS "sensor"', ""), "texts of 'sensor' may look like numbers"),
    "no text": (lambda d: drop(d, 8, "station", "unit"), "texts of 'station' may look like numbers"),
    "heads stay": (lambda d: panel(d, 14)["transformations"].pop(2), "heads is not dropped"),
    "no merge": (lambda d: panel(d, 7).update(transformations=[]), "several queries and no merge"),
    "target": (lambda d: query(d, 10, "D", "'hour'", "'hours'"), "'target' is never 'hours'"),
    "lead": (lambda d: query(d, 9, "A", "'latest'", "'last'"), "'lead' is never 'last'"),
    "state": (lambda d: query(d, 8, "A", "'cleared'", "'clear'"), "'state' is never 'clear'"),
    "alias": (lambda d: panel(d, 10)["targets"][0].update(alias="$tag_pont"), "$tag_pont is no tag"),
    "alias not grouped": (lambda d: query(d, 10, "A", ', "station", "point", "sensor"', ""), "$tag_point is no tag"),
    "alias of old": (lambda d: panel(d, 10)["targets"][0].update(alias="[[tag_point]]"), "is no tag the query groups by"),
    "repeat": (lambda d: panel(d, 10).update(repeat="statoin"), "repeats 'statoin'"),
    "regex": (lambda d: d["templating"]["list"][3].update(regex="/(/"), "its regex does not parse"),
    "link nowhere": (lambda d: put(d, 7, "name", "links", [{"title": "x", "url": "/d/no-such-board?x=1"}]), "leads to no board"),
    "every waterway": (lambda d: query(d, 1, "A", f" AND {HERE}", ""), "does not follow the chosen stations"),
    "every point": (lambda d: query(d, 6, "B", ' AND "verdict" = 1', ""), "that of its verdict point"),
    "every point counted": (lambda d: query(d, 3, "A", ' AND "verdict" = 1', ""), "that of its verdict point"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    """The sound board has no fault; with one planted, the rule for it says so."""
    assert faults(SOUND) == []
    document = copy.deepcopy(SOUND)
    plant, expected = FAULTS[name]
    plant(document)
    assert document != SOUND
    assert any(expected in fault for fault in faults(document)), faults(document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('SELECT "salinity" FROM "water" WHERE "station" = \'$station\'', "a variable stands otherwise"),
        ('SELECT "salinity" FROM "water" WHERE "station" =~ /^$station$/', "a variable stands otherwise"),
        ('SELECT "salinity" FROM "water" WHERE "station" =~ /${station:regex}/', "a variable stands otherwise"),
        ('SELECT "salinity" FROM "water" WHERE "station" =~ /^${station:raw}$/', "a variable stands otherwise"),
        ('SELECT "salinity" FROM "water" WHERE time > ${__from}ms', "a variable stands otherwise"),
        ("SELECT salinity FROM water", "names stand in double quotes"),
        ('SELECT "salinity" FROM "water"; DROP MEASUREMENT "water"', "is not one SELECT"),
        ('SHOW TAG VALUES FROM "water" WITH KEY = "station"', "is not one SELECT"),
        ('SELECT "salinity" INTO "x" FROM "water"', "'INTO' is no keyword"),
        ('SELECT "salinity" FROM "water" WHERE $timeFilter AND "station" =~ /^${station:regex}$/ GROUP BY time($__interval) fill(null)', ""),
    ],
)
def test_a_querys_text(text: str, expected: str) -> None:
    """What people choose stands in one form only, where Grafana escapes it; names are quoted; nothing but one SELECT."""
    found = list(text_faults(text))
    if expected == "":
        assert found == []
    else:
        assert any(expected in fault for fault in found), found
