"""A board's queries as Grafana sends them: variables, times and interval put in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError
from dashboards.build import boards

_VARIABLE = re.compile(r"\$\{(\w+):regex\}")
_LEFT = re.compile(r"\$\{?[A-Za-z_]\w*")
_INTERVALS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One query as it is sent. `panel` is the panel's id, 0 for a variable's own query; `title` the panel's or the variable's name.

    `why_empty` tells what is missing where it may be empty and is.
    """

    panel: int
    title: str
    ref: str
    text: str
    may_be_empty: bool
    why_empty: str = ""


def bound(document: Mapping[str, Any], *, start: int, end: int, interval_ms: int, values: Mapping[str, Sequence[str]]) -> list[Bound]:
    """Every query of a board, its variables' first, over start … end [ms] with the chosen values of its variables; none or empty is All.

    `interval_ms` is what Grafana makes of the range and the panel's width; a panel's own least interval holds beneath it.
    Raises ConfigError for a variable the board does not have.
    """
    variables = {v["name"]: v for v in document["templating"]["list"] if v["type"] == "query"}
    chosen = {name: _pattern(variable, values.get(name, ())) for name, variable in variables.items()}
    empty = _may_be_empty(document["uid"])
    found = [_bound(0, name, name, _fill(variable["query"], chosen, {}), empty) for name, variable in variables.items()]
    for panel in document["panels"]:
        interval = _duration(max(interval_ms, _milliseconds(panel.get("interval", "1ms"))))
        times = {"timeFilter": f"time >= {start}ms and time <= {end}ms", "__interval": interval, "__from": str(start), "__to": str(end)}
        for target in panel.get("targets", ()):
            text = _fill(target["query"], chosen, times)
            found.append(_bound(panel["id"], panel["title"], target["refId"], text, empty))
    return found


def escaped(value: str) -> str:
    """A value as Grafana's format `regex` puts it into a regular expression."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], value)


def _pattern(variable: Mapping[str, Any], values: Sequence[str]) -> str:
    if not values:
        return str(variable.get("allValue", ".*"))
    texts = [escaped(value) for value in values]
    return texts[0] if len(texts) == 1 else "(" + "|".join(texts) + ")"


def _fill(text: str, chosen: Mapping[str, str], times: Mapping[str, str]) -> str:
    """Names are looked for in the board's own text alone, before any value is in it."""
    parts: list[str] = []
    at = 0
    for found in _LEFT.finditer(text):
        variable = _VARIABLE.match(text, found.start())
        name = variable[1] if variable else found[0].lstrip("${")
        value = chosen.get(name) if variable else times.get(name)
        if value is None:
            raise ConfigError(f"{found[0]!r} in {text!r} is no variable of the board; write a variable as ${{name:regex}}")
        parts += (text[at : found.start()], value)
        at = variable.end() if variable else found.end() + (found[0].startswith("${"))
    return "".join((*parts, text[at:]))


def _bound(panel: int, title: str, ref: str, text: str, empty: Mapping[tuple[int, str], str]) -> Bound:
    why = empty.get((panel, ref), "")
    return Bound(panel=panel, title=title, ref=ref, text=text, may_be_empty=why != "", why_empty=why)


def _may_be_empty(uid: str) -> dict[tuple[int, str], str]:
    """Why, by panel and query; 0 for a variable."""
    board = boards().get(uid)
    if board is None:
        return {}
    found = {(panel.id, query.ref): query.may_be_empty for panel in board.panels for query in panel.queries}
    return found | {(0, variable.name): variable.may_be_empty for variable in board.variables}


def _milliseconds(duration: str) -> int:
    number = duration.rstrip("dhms")
    return int(number) * dict(_INTERVALS)[duration[len(number) :]]


def _duration(milliseconds: int) -> str:
    """As Grafana writes an interval: the largest whole unit."""
    return next(f"{milliseconds // size}{name}" for name, size in _INTERVALS if milliseconds % size == 0 or size == 1)
