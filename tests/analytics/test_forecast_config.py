"""forecast.toml: what is shipped, what a driver says, and one clear line for whatever cannot be meant."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest

import config
from analytics.forecast_config import DriverSource, Training, parse_forecast
from core.errors import ConfigError

TEXT = (files(config) / "forecast.toml").read_text("utf-8")
DRIVER = 'name = "discharge"\nstation = "tan-chau"\nquantity = "water.level"\n'


def parsed(text: str) -> Any:
    return parse_forecast(tomllib.loads(text), where="forecast.toml")


def test_the_shipped_file_says_the_defaults() -> None:
    """No driver, and the numbers that stand where none are given."""
    found = parsed(TEXT)
    assert found.drivers == ()
    assert found.training == Training() == parsed("").training


def test_the_example_of_the_shipped_file_is_understood() -> None:
    """Without its comment signs it is a driver, but for a quantity that a user may not have."""
    example = "\n".join(line.removeprefix("# ") for line in TEXT[TEXT.index("# [[driver]]") :].splitlines()).replace("water.discharge", "water.level")
    expected = DriverSource(name="discharge", station="tan-chau", point="main", quantity="water.level", statistic="mean", bears_on=None)
    assert parsed(example).drivers == (expected,)


def test_what_a_driver_leaves_out() -> None:
    """Point main, the day's mean, all stations; a list names those it bears on."""
    one, other = parsed(f'[[driver]]\n{DRIVER}stations = ["a"]\n[[driver]]\n{DRIVER}stations = ["b", "c"]\npoint = "in"\nstatistic = "max"').drivers
    assert (one.point, one.statistic, one.bears_on) == ("main", "mean", frozenset("a"))
    assert (other.point, other.statistic, other.bears_on) == ("in", "max", frozenset("bc"))
    assert parsed(f"[[driver]]\n{DRIVER}").drivers[0].bears_on is None
    assert [parsed(f"[[driver]]\n{DRIVER}{key}").drivers[0].available_after_h for key in ("", "available_after_h = 24", "available_after_h = 0.5")] == [
        0,
        24,
        0.5,
    ]


def test_the_digest_changes_with_what_is_said_and_with_nothing_else() -> None:
    """Order of keys and comments do not matter; a number, a driver and its stations do."""
    plain = parsed(TEXT).digest
    assert parsed("[training]\nleast_days = 21\nhour = 1 # at night\n").digest == plain
    stations = [parsed(f"[[driver]]\n{DRIVER}stations = {s}").digest for s in ('["a", "b"]', '["b", "a"]', '["a"]', '"all"')]
    assert stations[0] == stations[1]
    assert len({plain, parsed("[training]\nhour = 2").digest, *stations}) == 5


WRONG = {
    f"[[driver]]\n{DRIVER}available_after_h = -1": "available_after_h must be a number of hours from 0 to 240, found -1",
    f"[[driver]]\n{DRIVER}available_after_h = true": "available_after_h",
    f'[[driver]]\n{DRIVER}available_after_h = "1 d"': "available_after_h",
    f"[[driver]]\n{DRIVER}available_after_h = 241": "available_after_h",
    "[trainng]\nhour = 1": "trainng",
    "[training]\nevery = 1": "every",
    "training = 1": "table",
    "[training]\nhour = 24": "hour",
    "[training]\nhour = true": "hour",
    "[training]\nhour = 1.5": "hour",
    "[training]\nevery_days = -1": "every_days",
    "[training]\nleast_days = 13": "least_days",
    "[training]\nheld_out_days = 10\nleast_held_out_days = 11": "held_out_days",
    "[training]\nleast_held_out_days = 22": "least_days",
    "[training]\nleast_held_out_days = 21": "must be less than least_days 21",
    "[driver]\nname = 'x'": "[[driver]]",
    "driver = [1]": "[[driver]] 1",
    "[[driver]]\nstation = 'a'\nquantity = 'water.level'": "name is missing",
    f"[[driver]]\n{DRIVER}colour = 'red'": "colour",
    f"[[driver]]\n{DRIVER}point = 'a b'": "point",
    f"[[driver]]\n{DRIVER}statistic = 'median'": "median",
    f"[[driver]]\n{DRIVER}stations = []": "stations",
    f"[[driver]]\n{DRIVER}stations = ['Á']": "stations",
    f"[[driver]]\n{DRIVER}stations = 'some'": "stations",
    "[[driver]]\nname = 'Q'\nstation = 'a'\nquantity = 'water.level'": "'Q'",
    "[[driver]]\nname = 'q'\nstation = 3\nquantity = 'water.level'": "station",
    "[[driver]]\nname = 'q'\nstation = 'a'\nquantity = 'water.lvel'": "water.lvel",
    f"[[driver]]\n{DRIVER}[[driver]]\n{DRIVER}stations = ['a']": "twice",
    f"[[driver]]\n{DRIVER}stations = ['a', 'b']\n[[driver]]\n{DRIVER}stations = ['b']": "twice",
}


@pytest.mark.parametrize("text", WRONG)
def test_whatever_cannot_be_meant_is_one_line(text: str) -> None:
    """It names the file and what is wrong in it."""
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    assert str(caught.value).startswith("forecast.toml")
    assert WRONG[text] in str(caught.value)
    assert "\n" not in str(caught.value)
