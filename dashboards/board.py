"""What a board is made of. It holds keys of `core/texts`, not sentences, so that one board is built in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Words:
    """A text of `core/texts` inside options, overrides or a query's alias, put in when the board is built; `before` and `after` stand around it."""

    key: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One InfluxQL query of a panel, as Grafana's raw mode keeps it. `form` is `table` or `time_series`.

    `may_be_empty` says why no row is a sound answer too, empty where it is none: nothing flagged, no soil probe, no alert.
    """

    ref: str
    text: str
    form: str = "table"
    alias: str | Words = ""
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice at the head of the board. `kind` is `datasource` or `query`; `regex` with the groups text and value shows a name and uses an id.

    `every` is a hidden variable that stands for all its values: a list that other queries filter by.
    """

    name: str
    label: str  # key
    kind: str = "query"
    query: str = ""
    regex: str = ""
    multi: bool = False
    all_value: str | None = None  # what All stands for; None: no All
    current: str = ""  # chosen at first; empty: the first
    every: bool = False
    may_be_empty: str = ""  # as of a query


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `id` is given once and never used again for another; `at` is (x, y, width, height) in a grid of 24 columns.

    `defaults` and `overrides` are Grafana's fieldConfig; `repeat` names the variable the panel is shown once per value of.
    `interval` is the least time between two points of a line.
    """

    id: int
    kind: str
    title: str  # key
    about: str  # key of the description
    at: tuple[int, int, int, int]
    queries: tuple[Query, ...]
    options: Mapping[str, object]
    defaults: Mapping[str, object]
    overrides: tuple[Mapping[str, object], ...] = ()
    transformations: tuple[Mapping[str, object], ...] = ()
    links: tuple[Mapping[str, object], ...] = ()
    repeat: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board of Grafana. `uid` is in people's bookmarks: it never changes."""

    uid: str
    title: str  # key
    about: str  # key of the description
    tags: tuple[str, ...]
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    start: str = "now-7d"
    end: str = "now"
    refresh: str = "1m"
    links: tuple[Mapping[str, object], ...] = field(default=())
