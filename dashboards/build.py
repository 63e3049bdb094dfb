"""Boards as Grafana's classic (v1) JSON, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dashboards.boards
from core.plugins import collect
from core.texts import say
from dashboards.allowed import SCHEMA_VERSION
from dashboards.board import Board, Panel, Query, Variable, Words

DATASOURCE = {"type": "influxdb", "uid": "${datasource}"}
TIMEZONE = "Asia/Ho_Chi_Minh"


def boards() -> dict[str, Board]:
    """Every board by its uid."""
    return {board.uid: board for board in collect(dashboards.boards, "BOARD", Board).values()}


def as_json(board: Board, lang: str) -> dict[str, Any]:
    """The board as Grafana loads it. Raises NotFoundError for a text that is not there."""
    return {
        "uid": board.uid,
        "title": say(lang, board.title),
        "description": say(lang, board.about),
        "tags": list(board.tags),
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "liveNow": False,
        "fiscalYearStartMonth": 0,
        "timezone": TIMEZONE,
        "weekStart": "monday",
        "refresh": board.refresh,
        "time": {"from": board.start, "to": board.end},
        "timepicker": {},
        "annotations": {"list": []},
        "links": _plain(board.links, lang),
        "templating": {"list": [_variable(v, lang) for v in board.variables]},
        "panels": [_panel(p, lang) for p in board.panels],
    }


def dump(board: Board, lang: str) -> str:
    """The JSON file's text, keys sorted."""
    return json.dumps(as_json(board, lang), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _panel(panel: Panel, lang: str) -> dict[str, Any]:
    x, y, w, h = panel.at
    found: dict[str, Any] = {
        "id": panel.id,
        "type": panel.kind,
        "title": say(lang, panel.title),
        "description": say(lang, panel.about),
        "gridPos": {"x": x, "y": y, "w": w, "h": h},
        "datasource": dict(DATASOURCE),
        "targets": [_target(q, lang) for q in panel.queries],
        "options": _plain(panel.options, lang),
        "fieldConfig": {"defaults": _plain(panel.defaults, lang), "overrides": _plain(panel.overrides, lang)},
        "transformations": _plain(panel.transformations, lang),
        "links": _plain(panel.links, lang),
    }
    if panel.repeat:
        found |= {"repeat": panel.repeat, "repeatDirection": "v"}
    if panel.interval:
        found["interval"] = panel.interval
    return found


def _target(query: Query, lang: str) -> dict[str, Any]:
    return {
        "refId": query.ref,
        "datasource": dict(DATASOURCE),
        "query": query.text,
        "rawQuery": True,
        "resultFormat": query.form,
        "alias": _plain(query.alias, lang),
    }


def _variable(variable: Variable, lang: str) -> dict[str, Any]:
    many = variable.multi or variable.every
    found: dict[str, Any] = {
        "name": variable.name,
        "label": say(lang, variable.label),
        "type": variable.kind,
        "hide": 2 if variable.every else 0,
        "skipUrlSync": variable.every,
        "multi": many,
        "includeAll": variable.every or variable.all_value is not None,
        "options": [],
        "current": {},
        "regex": variable.regex,
        "query": variable.query,
        "refresh": 1 if variable.kind == "datasource" else 2,  # 2: at each refresh of the board too, so that a new station appears by itself
    }
    if variable.kind == "datasource":
        return found | {"current": {"text": variable.current, "value": variable.current}}
    if variable.all_value is not None:
        found["allValue"] = variable.all_value
    if found["includeAll"]:
        found["current"] = {"text": ["All"], "value": ["$__all"]} if many else {"text": "All", "value": "$__all"}
    return found | {"datasource": dict(DATASOURCE), "definition": variable.query, "sort": 1}


def _plain(value: object, lang: str) -> Any:
    """The same as JSON has it, with the words of `lang` put in."""
    if isinstance(value, Words):
        return value.before + say(lang, value.key) + value.after
    if isinstance(value, Mapping):
        return {str(_plain(k, lang)) if isinstance(k, Words) else str(k): _plain(v, lang) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v, lang) for v in value]
    return value
