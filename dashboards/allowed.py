"""Options of Grafana that its versions 9.4 to 13 all know, by panel type; checked against the types of 9.4.7 and 13.2.3 (docs/decisions/0019).

A path names a leaf, with the lists on the way left out. What is not here is not used: look it up in both versions, then add it.
"""

from __future__ import annotations


def _paths(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


SCHEMA_VERSION = 38  # of Grafana 9.4, whose tables say cellOptions; later ones migrate it when they load it
PANEL_KEYS = _paths("datasource description fieldConfig gridPos id interval links options repeat repeatDirection targets title transformations type")
TARGET_KEYS = _paths("alias datasource query rawQuery refId resultFormat")
LINK_KEYS = _paths("title url targetBlank")
DEFAULTS = _paths("color decimals displayName links mappings max min noValue thresholds unit")
MATCHERS = _paths("byName byRegexp byFrameRefID")
COLOUR_MODES = _paths("fixed thresholds")
CELLS = _paths("auto color-background color-text")

_LEGEND = "legend.calcs legend.displayMode legend.placement legend.showLegend"
_TOOLTIP = "tooltip.mode tooltip.sort"
_REDUCE = "orientation reduceOptions.calcs reduceOptions.fields reduceOptions.values"

OPTIONS = {
    "timeseries": _paths(_LEGEND, _TOOLTIP),
    "state-timeline": _paths("alignValue mergeValues rowHeight showValue", _LEGEND, _TOOLTIP),
    "stat": _paths("colorMode graphMode justifyMode textMode", _REDUCE),
    "bargauge": _paths("displayMode minVizHeight minVizWidth showUnfilled", _REDUCE),
    "table": _paths("frameIndex showHeader sortBy.desc sortBy.displayName"),
    "geomap": _paths(
        "basemap.name basemap.type basemap.config controls.mouseWheelZoom controls.showAttribution controls.showDebug controls.showMeasure",
        "controls.showScale controls.showZoom tooltip.mode",
        "view.allLayers view.id view.lat view.lon view.maxZoom view.padding view.zoom",
        "layers.name layers.tooltip layers.type layers.location.latitude layers.location.longitude layers.location.mode layers.config.showLegend",
        "layers.config.style.color.field layers.config.style.color.fixed layers.config.style.opacity",
        "layers.config.style.rotation.fixed layers.config.style.rotation.max layers.config.style.rotation.min layers.config.style.rotation.mode",
        "layers.config.style.size.fixed layers.config.style.size.max layers.config.style.size.min",
        "layers.config.style.symbol.fixed layers.config.style.symbol.mode",
        "layers.config.style.text.field layers.config.style.text.fixed layers.config.style.text.mode",
        "layers.config.style.textConfig.fontSize layers.config.style.textConfig.offsetX layers.config.style.textConfig.offsetY",
        "layers.config.style.textConfig.textAlign layers.config.style.textConfig.textBaseline",
    ),
}

CUSTOM = {
    "timeseries": _paths(
        "axisColorMode axisLabel axisPlacement axisSoftMax axisSoftMin drawStyle fillBelowTo fillOpacity gradientMode hideFrom lineInterpolation",
        "lineStyle lineWidth pointSize scaleDistribution showPoints spanNulls stacking thresholdsStyle",
    ),
    "state-timeline": _paths("fillOpacity lineWidth spanNulls"),
    "table": _paths("align cellOptions filterable inspect minWidth width"),
    "stat": _paths(""),
    "bargauge": _paths(""),
    "geomap": _paths("hideFrom"),
}

TRANSFORMATIONS = {
    "merge": _paths(""),
    "filterFieldsByName": _paths("exclude.names include.names"),
    "filterByValue": _paths("filters.config.id filters.config.options filters.fieldName match type"),
    "organize": _paths("excludeByName indexByName renameByName"),
}
OPEN_KEYS = _paths("excludeByName indexByName renameByName config.options basemap.config filters.config.options")  # what is beneath is named by data
