"""What may have a colour: the bands' thresholds are those of the bands, null is grey, and a fill comes from fresh and good values alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dashboards import allowed
from dashboards.colours import BANDS, UNKNOWN
from dashboards.panels import THRESHOLDS

Document = Mapping[str, Any]

_NULLS = {"match": "null+nan", "color": UNKNOWN}
_FRESH = re.compile(r'FROM "latest" WHERE time > now\(\) AND "fresh" = 1 AND ')
_GIVES_SALINITY = re.compile(r'(?<!AS )"(salinity|nothing|value|q\d\d)"')


def colour_faults(panel: Document) -> Iterator[str]:
    """The faults of a panel's colours."""
    defaults = panel["fieldConfig"]["defaults"]
    overrides = [(o["matcher"]["options"], {p["id"]: p["value"] for p in o["properties"]}) for o in panel["fieldConfig"]["overrides"]]
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
            yield from _filled(what, name, config, panel)
        yield from _mapped(what, name, config, panel)
    if "salinity" in (name for name, _ in overrides) and panel["type"] in ("table", "geomap") and dict(overrides)["salinity"].get("thresholds") != THRESHOLDS:
        yield "the field 'salinity' lacks the bands' thresholds"


def colours_by_band(panel: Document) -> bool:
    """Whether a fill of this panel is taken from the bands' thresholds."""
    fields = panel["fieldConfig"]
    modes = [fields["defaults"].get("color", {}), *(p["value"] for o in fields["overrides"] for p in o["properties"] if p["id"] == "color")]
    return any(mode.get("mode") == "thresholds" for mode in modes)


def _filled(what: str, name: str, config: Document, panel: Document) -> Iterator[str]:
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
    for target in panel["targets"]:
        if "salinity" in _GIVES_SALINITY.findall(target["query"]) and not _FRESH.search(target["query"]):
            yield f'{what}: query {target["refId"]} colours what is not fresh and good; take rows of `latest` with time > now() AND "fresh" = 1'


def _mapped(what: str, name: str, config: Document, panel: Document) -> Iterator[str]:
    """A band's colour as such, in a mapping or as a fixed colour: only for the level of an alert."""
    of_alerts = name == "level" and all('FROM "alert"' in target["query"] for target in panel["targets"])
    texts = repr([config.get("mappings"), config.get("color"), config.get("custom")]).upper()
    used = [colour for colour in BANDS if colour.upper() in texts]
    if used and not of_alerts:
        yield f"{what}: {', '.join(used)} is a colour of the bands; only thresholds on fresh salinity and levels of alerts have it"
