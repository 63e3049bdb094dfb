"""`alerts.toml`: its defaults are the design's numbers, and what makes no sense is refused by name."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest

import config
from alerts.config import AlertRules, parse_alerts
from core.errors import ConfigError


def shipped() -> dict[str, Any]:
    return tomllib.loads(files(config).joinpath("alerts.toml").read_text("utf-8"))


def test_the_file_says_what_the_code_defaults_to() -> None:
    """The shipped file names every number, and none differs from the default; approved by nobody yet."""
    rules = parse_alerts(shipped())
    assert rules == parse_alerts({})
    assert set(shipped()) == {name for name in AlertRules.__slots__ if name != "hash"}
    assert rules.approved_by == ""
    assert rules.lines == (1.0, 4.0)


def test_the_hash_is_of_the_numbers() -> None:
    """The same numbers have one hash however they are written; another number has another."""
    assert parse_alerts({"lines": [4, 1]}).hash == parse_alerts({"lines": [1.0, 4.0]}).hash == parse_alerts({}).hash
    assert parse_alerts({"lines": [1]}).hash != parse_alerts({}).hash


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"line": [1]}, "unknown 'line'"),
        ({"lines": [3]}, "0.5, 1, 2, 4"),
        ({"lines": []}, "lines must be a list"),
        ({"lines": 1}, "lines must be a list"),
        ({"lines": [1, 1.0]}, "twice"),
        ({"lines": [True]}, "lines must be a list"),
        ({"clear_below": 1.2}, "clear_below must be under 1"),
        ({"forecast_open_p": 0.3}, "forecast_clear_p 0.4 must not exceed forecast_open_p 0.3"),
        ({"open_readings": 4}, "open_readings 4 must not exceed open_of 3"),
        ({"open_readings": 1.5}, "whole number"),
        ({"clear_readings": 1}, "at least 2"),
        ({"clear_after_min": 0}, "above 0"),
        ({"reopen_h": "25"}, "must be a number"),
        ({"reopen_h": float("nan")}, "must be a number"),
        ({"open_at_once": 0.5}, "at least 1 line"),
        ({"forecast_max_age_h": 48}, "must not exceed 24"),
        ({"approved_by": 3}, "must be a text"),
    ],
)
def test_what_is_refused(document: dict[str, Any], words: str) -> None:
    """Unknown names, other kinds of values and contradictions are errors that name the thing and the file."""
    with pytest.raises(ConfigError, match=words) as refused:
        parse_alerts(document, where="x/alerts.toml")
    assert str(refused.value).startswith("x/alerts.toml: ")
