"""Queries as Grafana sends them: times, interval and chosen values put in, and no name gets out of its place."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from dashboards.build import as_json, boards
from dashboards.queries import Bound, bound, escaped

BOARD = as_json(boards()["canhman-tong-quan"], "vi")
START, END, QUARTER = 1_772_000_000_000, 1_772_864_000_000, 900_000


def ask(document: dict[str, Any] = BOARD, *, interval_ms: int = QUARTER, **values: list[str]) -> list[Bound]:
    return bound(document, start=START, end=END, interval_ms=interval_ms, values=values)


def of(found: list[Bound], panel: int, ref: str) -> str:
    return next(query.text for query in found if (query.panel, query.ref) == (panel, ref))


def test_all_queries_are_there() -> None:
    """Those of the variables first, then each panel's, with nothing left to be put in."""
    found = ask()
    variables = [v["name"] for v in BOARD["templating"]["list"] if v["type"] == "query"]
    assert [(q.panel, q.title, q.ref) for q in found][: len(variables)] == [(0, name, name) for name in variables]
    assert [(q.panel, q.ref) for q in found][len(variables) :] == [(p["id"], t["refId"]) for p in BOARD["panels"] for t in p["targets"]]
    assert not any("${" in q.text or "$time" in q.text or "$__" in q.text for q in found)


def test_times_and_interval() -> None:
    """The range in milliseconds; the interval in the largest whole unit, never less than the panel's own."""
    text = of(ask(), 10, "A")
    assert f"time >= {START}ms and time <= {END}ms" in text
    assert "time(15m)" in text
    assert "time(15m)" in of(ask(interval_ms=60_000), 10, "A")
    assert "time(2h)" in of(ask(interval_ms=7_200_000), 10, "A")
    assert "time(1500s)" in of(ask(interval_ms=1_500_000), 10, "A") or "time(25m)" in of(ask(interval_ms=1_500_000), 10, "A")


def test_values_as_regular_expressions() -> None:
    """One value alone, several in a group, none or an empty list is All."""
    assert '"station" =~ /^kl-01$/' in of(ask(station=["kl-01"]), 10, "A")
    assert '"station" =~ /^(kl-01|kl-02)$/' in of(ask(station=["kl-01", "kl-02"]), 10, "A")
    assert '"point" =~ /^.*$/' in of(ask(), 10, "A")
    assert of(ask(point=[]), 10, "A") == of(ask(), 10, "A")


def test_what_may_be_empty() -> None:
    """Nothing flagged, no soil probe, no forecast yet are sound answers, and each says why; a board without stations is not."""
    assert all(q.may_be_empty == (q.why_empty != "") for q in ask())
    empty = {(q.panel, q.ref): q.may_be_empty for q in ask()}
    assert empty[10, "B"]
    assert empty[12, "A"]
    assert empty[10, "A"]  # a farm with soil probes alone
    assert empty[9, "A"]  # the first forecast comes after days
    assert empty[0, "point"]
    assert not empty[7, "C"]
    assert not empty[0, "station"]


def test_a_variable_the_board_lacks() -> None:
    """It is named, with the form a variable has."""
    document = as_json(boards()["canhman-tong-quan"], "vi")
    document["panels"][0]["targets"][0]["query"] = 'SELECT "name" FROM "station" WHERE "station" =~ /^${place:regex}$/'
    with pytest.raises(ConfigError, match=r"place.*no variable of the board"):
        ask(document)


def test_a_board_nobody_knows() -> None:
    """A document of another uid is bound too; none of its queries may be empty."""
    assert not any(q.may_be_empty for q in ask(BOARD | {"uid": "other"}))


def test_what_grafana_escapes() -> None:
    """The same signs as Grafana's own format `regex` (9.4 and 13): the slash too, which would end the expression."""
    assert escaped("a.b") == r"a\.b"
    assert escaped(r"\^$*+?.()|[]{}/") == r"\\\^\$\*\+\?\.\(\)\|\[\]\{\}\/"
    assert escaped("Sông Hậu, \"cũ\" 'mới'") == "Sông Hậu, \"cũ\" 'mới'"


NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r"), min_size=1, max_size=40)


@given(NAMES, NAMES)
def test_a_name_stays_inside_its_expression(one: str, other: str) -> None:
    """Whatever a waterway is called: the query is the same but for one regular expression, which finds the name and nothing else."""
    before, after = of(ask(waterway=["x"]), 4, "A").split("/^x$/")
    text = of(ask(waterway=[one]), 4, "A")
    assert text.startswith(before + "/^")
    assert text.endswith("$/" + after)
    inside = text[len(before) + 1 : len(text) - len(after) - 1]
    assert re.search(r"(?<!\\)(?:\\\\)*/", inside) is None  # no slash that would end it
    assert re.fullmatch(inside.removeprefix("^").removesuffix("$"), one)
    assert (re.fullmatch(inside.removeprefix("^").removesuffix("$"), other) is not None) == (one == other)


@given(NAMES)
def test_a_name_is_put_in_once(name: str) -> None:
    """What stands in a name is not looked for again: `$timeFilter` in it stays text."""
    plain = of(ask(waterway=["$timeFilter${station:regex}" + name]), 4, "A")
    assert "time >=" not in plain
    assert r"\$timeFilter\$\{station:regex\}" in plain
