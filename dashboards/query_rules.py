"""What a query of a board must hold to: it names what exists, puts in what people choose escaped, and shows it in the registry's units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from core.quantities import QUANTITIES
from dashboards import allowed
from dashboards.fields import MIRRORED, TEXTS, VALUES, names_of
from dashboards.panels import NOTHING, unit

Document = Mapping[str, Any]

_PUT_IN = re.compile(r"/\^\$\{\w+:regex\}\$/")  # the one form in which a chosen value stands in a query
_REST = re.compile(r"'[^'$]*'|\$timeFilter|\$__interval")
_NAME = re.compile(r'"([^"]*)"')
_FROM = re.compile(r'\bFROM\s+"([^"]*)"')
_ALIAS = re.compile(r'\bAS\s+"([^"]*)"')
_WORD = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS = frozenset(
    {"SELECT", "FROM", "WHERE", "GROUP", "BY", "AND", "OR", "AS", "ORDER", "DESC", "LIMIT", "fill", "null", "none", "time", "now"}
    | {"count", "distinct", "first", "floor", "last", "max", "mean", "min", "sum"}
)
_CONSTANT = re.compile(r'"([^"]*)"\s*(?:=|!=|<>|=~|!~)\s*\'([^\']*)\'')
_STATIONS = re.compile(r'"(?:station|waterway_name)" =~ /\^\$\{\w+:regex\}\$/')
_GROUPS = re.compile(r"\bGROUP BY ([^()]*(?:\(\$__interval\))?[^()]*)")
_PER_STATION = re.compile(r'FROM "latest" (WHERE [^()]*(?:\(\)[^()]*)*)GROUP BY "station"(?!, "point")')
_UNITS = frozenset({"dateTimeFromNow", "percentunit", "none", "string"})  # string: as it stands, were it 0012
_QUANTITY_UNITS = frozenset(unit(name) for name in QUANTITIES)


def query_faults(panel: Document, *, chosen: bool) -> Iterator[str]:
    """The faults of a panel's queries and of the units they are shown in. `chosen`: stations are chosen at the head of the board."""
    refs = [target.get("refId") for target in panel.get("targets", ())]
    if not refs or len(set(refs)) != len(refs):
        yield f"queries {refs} need a letter of their own each"
    for target in panel.get("targets", ()):
        for key in sorted(set(target) - allowed.TARGET_KEYS):
            yield f"key {key!r} of query {target.get('refId')} is not on the list"
        if target.get("rawQuery") is not True or target.get("resultFormat") not in ("table", "time_series"):
            yield f"query {target.get('refId')} is not raw InfluxQL for a table or a time series"
        faults = (*text_faults(target["query"]), *_choice_faults(target["query"], chosen), *_alias_faults(target))
        yield from (f"query {target.get('refId')}: {fault}" for fault in faults)
    yield from _text_faults(panel)
    yield from _unit_faults(panel)


def text_faults(text: str) -> Iterator[str]:
    """The faults of one InfluxQL text."""
    plain = _REST.sub(" ", _PUT_IN.sub(" ", text))
    if "$" in plain:
        yield f"a variable stands otherwise than as /^${{name:regex}}$/ in {text!r}"
    if ";" in text or not text.startswith("SELECT "):
        yield f"{text!r} is not one SELECT"
    yield from _name_faults(text)
    constants = _CONSTANT.findall(text)
    if text.count("'") != 2 * len(constants):
        yield f"a text stands for no tag in {text!r}"
    for name, value in constants:
        if value not in VALUES.get(name, ()):
            yield f"{name!r} is never {value!r}"
    for word in _WORD.findall(re.sub(r"\d+[a-z]+\b", " ", _NAME.sub(" ", plain))):
        if word not in _KEYWORDS:
            yield f"{word!r} is no keyword: names stand in double quotes"


def _choice_faults(text: str, chosen: bool) -> Iterator[str]:
    """What a panel's query leaves out: the stations that were chosen, or which of a station's points speaks for it."""
    if chosen and not _STATIONS.search(text):
        yield "does not follow the chosen stations"
    for found in _PER_STATION.findall(text):
        if '"verdict" = 1' not in found:
            yield "one value of each station is that of its verdict point"


def _alias_faults(target: Document) -> Iterator[str]:
    """A name of a series holds tags that the query groups by; Grafana would print the others as they stand."""
    groups = _GROUPS.findall(target["query"])
    grouped = set(_NAME.findall(groups[-1])) if groups else set()
    for word in re.findall(r"\$(\w+)|(\[\[)", target.get("alias", "")):
        if word[0] != "col" and word[0].removeprefix("tag_") not in (grouped if word[0].startswith("tag_") else ()):
            yield f"the alias's ${word[0]} is no tag the query groups by"


def _text_faults(panel: Document) -> Iterator[str]:
    """Columns of texts where Grafana up to 10 guesses types: the first frame of a merge gives them, else the unit `string` does."""
    if panel["type"] not in ("table", "geomap") or not panel.get("targets"):
        return
    steps = [step["id"] for step in panel.get("transformations", ())]
    first, *others = panel["targets"]
    if others and "merge" not in steps:
        yield "several queries and no merge: Grafana shows the first"
    if others:
        safe = set(re.findall(r'"label" AS "(\w+)"', first["query"].partition(" FROM ")[0]))
        others = [target for target in others if '"label" AS "station"' not in target["query"]]
    else:
        config = panel["fieldConfig"]["overrides"]
        safe = {o["matcher"]["options"] for o in config if {"id": "unit", "value": "string"} in o["properties"]}
    for target in others or [first]:
        for name in _NAME.findall(_ALIAS.sub("", target["query"].partition(" FROM ")[0])):
            if name in TEXTS - {"label"} - safe:
                yield f"texts of {name!r} may look like numbers, and nothing tells Grafana that they are texts"
    if others and "filterByValue" not in steps:
        yield "the row of heads is not dropped again"


def _name_faults(text: str) -> Iterator[str]:
    """Names that stand for nothing: innermost they are fields and tags of the measurement, further out also what the inner query gives."""
    begin = text.find("FROM (")
    if begin < 0:
        inner, outer = "", text
        known: set[str] = set()
    else:
        end = _closing(text, begin + 5)
        inner, outer = text[begin + 6 : end], text[:begin] + text[end + 1 :]
        yield from _name_faults(inner)
        known = {NOTHING, *_NAME.findall(_FROM.sub("", inner))}
    measurements = _FROM.findall(text)
    for measurement in _FROM.findall(outer):
        known |= names_of(measurement)
        if not names_of(measurement):
            yield f"measurement {measurement!r} does not exist"
    for name in _NAME.findall(_ALIAS.sub("", _FROM.sub("", outer))):
        if name not in known:
            yield f"field {name!r} does not exist in {', '.join(measurements)}"


def _closing(text: str, opening: int) -> int:
    """Where the parenthesis that opens at `opening` is closed."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


def quantities_of(panel: Document) -> set[str]:
    """The quantities whose values (not flags) a panel's queries read."""
    found = set()
    for target in panel.get("targets", ()):
        names = set(_NAME.findall(target["query"]))
        for measurement in _FROM.findall(target["query"]):
            found |= {q.name for q in QUANTITIES.values() if q.measurement == measurement and q.field in names}
            if measurement in ("latest", "forecast", "alert") and names & MIRRORED[measurement] & {"salinity", "q50", "value"}:
                found.add("water.salinity")
    return found


def _unit_faults(panel: Document) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    shown = quantities_of(panel)
    if panel["type"] == "timeseries" and defaults.get("unit") not in {unit(name) for name in shown}:
        yield f"unit {defaults.get('unit')!r} is not that of {', '.join(sorted(shown))} in the registry"
    for override in panel["fieldConfig"]["overrides"]:
        name = override["matcher"]["options"]
        for entry in override["properties"]:
            if entry["id"] != "unit":
                continue
            value = entry["value"]
            of_name = {unit(q) for q in shown if q.partition(".")[2] == name}
            if of_name and value not in of_name:
                yield f"unit {value!r} of {name!r} is not the registry's"
            if value.startswith("suffix:") and " " not in value and value not in _QUANTITY_UNITS:
                yield f"unit {value!r} of {name!r} is none of the registry"
            if not value.startswith(("suffix:", "time:")) and value not in _UNITS:
                yield f"unit {value!r} of {name!r} is not on the list"
