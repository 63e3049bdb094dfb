"""The numbers behind the verdict."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

import config
from core.errors import ConfigError
from core.risk import Risk, parse_risk

HOUR = 3_600_000
SHIPPED = tomllib.loads((files(config) / "risk.toml").read_text("utf-8"))


def test_the_shipped_file_holds_the_defaults() -> None:
    """What risk.toml says is what a Risk without a file says, and nobody has approved it."""
    assert replace(parse_risk(SHIPPED), hash="") == Risk()
    assert parse_risk(SHIPPED).approved_by == ""


@pytest.mark.parametrize(
    ("interval_s", "stale_h", "silent_h"),
    [(60, 1, 6), (900, 1, 6), (1200, 1, 6), (3600, 3, 12), (7200, 6, 24), (14_400, 6, 48), (86_400, 6, 48)],
)
def test_ages_follow_the_interval_within_their_bounds(interval_s: float, stale_h: float, silent_h: float) -> None:
    """stale_after = 3 intervals within 1–6 h; silent_after = 12 intervals within 6–48 h."""
    assert Risk().stale_after_ms(interval_s) == stale_h * HOUR
    assert Risk().silent_after_ms(interval_s) == silent_h * HOUR


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"limits": 1.0}, "limits"),
        ({"limit": "1"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": float("nan")}, "limit"),
        ({"limit": float("inf")}, "limit"),
        ({"wait_p": 1.5}, "wait_p"),
        ({"take_p": 0.6}, "take_p"),
        ({"take_below": 1.2}, "take_below"),
        ({"take_below": 3.0}, "take_below"),
        ({"stale_min_h": 7.0}, "stale_min_h"),
        ({"silent_max_h": 5.0}, "silent"),
        ({"ahead_h": 48.0}, "ahead_h"),
        ({"forecast_max_age_h": 48.0}, "forecast_max_age_h"),
        ({"approved_by": 3}, "approved_by"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(change: dict[str, Any], named: str) -> None:
    """Unknown names, no numbers, contradictions, and looser than safe allows."""
    with pytest.raises(ConfigError, match=named):
        parse_risk(SHIPPED | change)


def test_the_hash_tells_other_numbers_apart_and_same_ones_not() -> None:
    """Recorded with every verdict: it changes with any number and with nothing else."""
    assert parse_risk(SHIPPED).hash == parse_risk(dict(reversed(SHIPPED.items()))).hash
    assert parse_risk(SHIPPED | {"wait_p": 0.4}).hash != parse_risk(SHIPPED).hash


@pytest.mark.parametrize(
    "loose",
    [
        {"take_p": 0.9, "wait_p": 0.95},
        {"stale_min_h": 500.0, "stale_max_h": 500.0, "silent_min_h": 900.0, "silent_max_h": 1000.0},
        {"silent_max_h": 49.0},
        {"ahead_h": 1e-7},
        {"wait_p": 0.71},
        {"stop_from": 5.0},
    ],
)
def test_numbers_looser_than_safe_allows_are_refused(loose: dict[str, Any]) -> None:
    """Whoever approves numbers may be stricter, never looser than the bounds."""
    with pytest.raises(ConfigError, match="must lie from"):
        parse_risk(SHIPPED | loose)
