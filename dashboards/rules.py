"""What every board must hold to, found without a Grafana: it loads in 9.4 to 13, names what exists, and colours only what is fresh and good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import combinations
from typing import Any

from dashboards import allowed
from dashboards.build import boards
from dashboards.colour_rules import colour_faults
from dashboards.query_rules import query_faults, text_faults

Document = Mapping[str, Any]

DATASOURCE = {"type": "influxdb", "uid": "${datasource}"}
COLUMNS = 24
_VARIABLE = re.compile(r"\$\{(\w+)")
_GRAFANA = {"__data", "__url_time_range"}


def faults(document: Document) -> list[str]:
    """Every fault of a board's JSON in words, empty for a sound one."""
    uids = {str(document.get("uid")), *boards()}
    chosen = any(v["name"] in ("station", "waterway") for v in document["templating"]["list"])
    found = [*_head(document), *_datasources(document), *_variables(document), *_ids(document), *_grid(document)]
    for panel in document["panels"]:
        name = f"panel {panel['id']} ({panel['title']})"
        rules = (_panel(panel, uids), _options(panel), _fields(panel), _transformations(panel), query_faults(panel, chosen=chosen), colour_faults(panel))
        found += [f"{name}: {fault}" for rule in rules for fault in rule]
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf of a JSON value with its path; lists are left out of the path, and what is named by data stands as one leaf."""
    if isinstance(value, Mapping) and value and not any(path == key or path.endswith("." + key) for key in allowed.OPEN_KEYS):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def _head(document: Document) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", document.get("uid", "")):
        yield f"uid {document.get('uid')!r} is no slug of at most 40 letters"
    if document.get("schemaVersion") != allowed.SCHEMA_VERSION:
        yield f"schemaVersion {document.get('schemaVersion')!r}: Grafana 9.4 writes {allowed.SCHEMA_VERSION}"
    if document.get("timezone") != "Asia/Ho_Chi_Minh":
        yield f"timezone {document.get('timezone')!r}: boards show local time"
    for key in ("__inputs", "__elements", "libraryPanels", "id", "version"):
        if key in document:
            yield f"{key!r} belongs to one Grafana, not to a board that is imported"
    for lang_text in ("title", "description"):
        if not document.get(lang_text):
            yield f"no {lang_text}"


def _datasources(document: Document) -> Iterator[str]:
    """A board is imported where the data source has another uid: each reference is the variable."""

    def walk(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key == "datasource" and inner != DATASOURCE:
                    yield f"{path}.{key} is {inner!r}, not the variable ${{datasource}}"
                yield from walk(inner, f"{path}.{key}")
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                yield from walk(inner, f"{path}[{i}]")

    yield from walk(document, "board")
    for holder in (*document["panels"], *(t for p in document["panels"] for t in p.get("targets", ()))):
        if "datasource" not in holder:
            yield f"{holder.get('title') or holder.get('refId')!r} names no datasource: Grafana would take its default"


def _variables(document: Document) -> Iterator[str]:
    variables = document["templating"]["list"]
    names = [v["name"] for v in variables]
    if not variables or variables[0]["type"] != "datasource" or variables[0]["name"] != "datasource" or variables[0]["query"] != "influxdb":
        yield "the first variable must be `datasource`, of type datasource and for influxdb"
    if len(set(names)) != len(names):
        yield f"two variables of one name: {names}"
    for variable in variables[1:]:
        if variable["type"] != "query":
            yield f"variable {variable['name']!r} is of type {variable['type']!r}, not query"
        else:
            yield from (f"variable {variable['name']!r}: {fault}" for fault in text_faults(variable["query"]))
            try:
                re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", variable["regex"].strip("/")))
            except re.error as error:
                yield f"variable {variable['name']!r}: its regex does not parse: {error}"
    for panel in document["panels"]:
        if panel.get("repeat", names[0] if names else "") not in names:
            yield f"panel {panel.get('id')} repeats {panel['repeat']!r}, which is no variable of the board"
    for path, value in leaves({key: value for key, value in document.items() if key != "templating"}):
        for name in _VARIABLE.findall(value) if isinstance(value, str) else ():
            if name not in names and name not in _GRAFANA:
                yield f"{path}: ${{{name}}} is no variable of the board"


def _ids(document: Document) -> Iterator[str]:
    ids = [panel.get("id") for panel in document["panels"]]
    for number in {i for i in ids if not isinstance(i, int) or i < 1 or ids.count(i) > 1}:
        yield f"panel id {number!r} is not one panel's own number"


def _grid(document: Document) -> Iterator[str]:
    places = [(panel["id"], panel["gridPos"]) for panel in document["panels"]]
    for number, g in places:
        if g["x"] < 0 or g["y"] < 0 or g["w"] < 1 or g["h"] < 2 or g["x"] + g["w"] > COLUMNS:
            yield f"panel {number}: {g} is not inside {COLUMNS} columns"
    for (a, p), (b, q) in combinations(places, 2):
        if p["x"] < q["x"] + q["w"] and q["x"] < p["x"] + p["w"] and p["y"] < q["y"] + q["h"] and q["y"] < p["y"] + p["h"]:
            yield f"panels {a} and {b} overlap"


def _panel(panel: Document, uids: Set[str]) -> Iterator[str]:
    if panel["type"] not in allowed.OPTIONS:
        yield f"type {panel['type']!r} is none of {', '.join(sorted(allowed.OPTIONS))}"
    yield from _unknown("key", panel, allowed.PANEL_KEYS)
    for text in ("title", "description"):
        if not panel.get(text):
            yield f"no {text}"
        elif "<" in panel[text]:
            yield f"{text} holds markup"
    links = [*panel.get("links", ()), *(link for holder in _configs(panel) for link in holder.get("links", ()))]
    for link in links:
        yield from _unknown("key of a link", link, allowed.LINK_KEYS)
        if not re.match(r"/d/[a-z0-9-]+\?", link["url"]):
            yield f"link {link['url']!r} leaves the boards"
        elif link["url"].split("?")[0].removeprefix("/d/") not in uids:
            yield f"link {link['url']!r} leads to no board"


def _options(panel: Document) -> Iterator[str]:
    known = allowed.OPTIONS.get(panel["type"], frozenset())
    for path, _ in leaves(panel["options"]):
        if path and path not in known:
            yield f"option {path!r} is not on the list for {panel['type']}"


def _fields(panel: Document) -> Iterator[str]:
    custom = allowed.CUSTOM.get(panel["type"], frozenset())
    defaults = panel["fieldConfig"]["defaults"]
    yield from _unknown("field default", {k: v for k, v in defaults.items() if k != "custom"}, allowed.DEFAULTS)
    yield from _unknown("field default custom", defaults.get("custom", {}), custom)
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] not in allowed.MATCHERS:
            yield f"matcher {override['matcher']['id']!r} is not on the list"
        for entry in override["properties"]:
            standard, _, own = entry["id"].partition(".")
            if own not in custom if standard == "custom" else entry["id"] not in allowed.DEFAULTS:
                yield f"property {entry['id']!r} is not on the list for {panel['type']}"
    for config in _configs(panel):
        cell = config.get("custom.cellOptions", config.get("custom", {}).get("cellOptions"))
        if cell is not None and cell.get("type") not in allowed.CELLS:
            yield f"cell {cell.get('type')!r}: only {', '.join(sorted(allowed.CELLS))} show a stranger's text as text"


def _transformations(panel: Document) -> Iterator[str]:
    for step in panel.get("transformations", ()):
        known = allowed.TRANSFORMATIONS.get(step["id"])
        if known is None:
            yield f"transformation {step['id']!r} is not on the list"
            continue
        for path, _ in leaves(step["options"]):
            if path and path not in known:
                yield f"option {path!r} of {step['id']!r} is not on the list"


def _configs(panel: Document) -> Iterator[Document]:
    """The defaults, then each override as {name: value}."""
    yield panel["fieldConfig"]["defaults"]
    for override in panel["fieldConfig"]["overrides"]:
        yield {entry["id"]: entry["value"] for entry in override["properties"]}


def _unknown(what: str, found: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    for key in sorted(set(found) - known):
        yield f"{what} {key!r} is not on the list"
