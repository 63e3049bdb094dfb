"""Gross range: golden rows at and beside the bounds."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

import config
from core.batch import Batch
from core.errors import ConfigError
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules, parse

T = 1_772_420_400_000


def flags(quantity: str, values: list[float], document: dict[str, object] | None = None) -> list[int]:
    rules = Rules(parse(document or {}), [SeriesKey("o", "s", "main", "d", quantity)])
    return judge(Batch.of([0] * len(values), [T + i for i in range(len(values))], values), rules)[0].tolist()


def test_physical_range_comes_from_the_registry() -> None:
    """A conductivity below 0 or over 60 mS/cm fails; the bounds themselves are good."""
    assert flags("water.ec", [-1566.0, -0.001, 0.0, 60.0, 60.001, 324.0]) == [4, 4, 1, 1, 4, 4]


def test_usual_range_makes_suspect() -> None:
    """Outside what is usual here is suspect; outside the possible is fail."""
    document = {"range": {"water.temperature": {"suspect_low": 15.0, "suspect_high": 40.0}}}
    assert flags("water.temperature", [-1.0, 14.9, 15.0, 40.0, 40.1, 50.1], document) == [4, 3, 1, 1, 3, 4]


def test_a_station_may_have_its_own() -> None:
    """A station's section wins over the general one, for that station alone."""
    document = {"range": {"water.ec": {"suspect_high": 30.0}}, "station": {"s": {"range": {"water.ec": {"suspect_high": 5.0}}}}}
    assert flags("water.ec", [4.0, 6.0], document) == [1, 3]
    assert parse(document).params(parse(document).tests["range"], "elsewhere", "water.ec")["suspect_high"] == 30.0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"rnage": {}}, "no QC test is called 'rnage'"),
        ({"range": {"water.salt": {}}}, "no quantity is called 'water.salt'"),
        ({"range": {"water.ec": {"fail_hgih": 1}}}, "no parameter 'fail_hgih'"),
        ({"range": {"water.ec": {"fail_high": "1"}}}, "must be a number"),
        ({"range": {"water.ec": {"fail_high": True}}}, "must be a number"),
        ({"range": {"water.ec": {"suspect_low": 5, "suspect_high": 4}}}, "above suspect_high"),
        ({"stuck": {"water.ec": {"fail_h": 8.0}}}, "at most 9.0 h are kept"),
        ({"stuck": 3}, "needs a section per quantity"),
    ],
)
def test_a_wrong_configuration_is_named(document: dict[str, object], words: str) -> None:
    """An unknown or senseless entry is an error that names it."""
    with pytest.raises(ConfigError, match=words):
        parse(document)


@pytest.mark.parametrize(("quantity", "low"), [("water.ec", 0.01), ("water.ec_raw", 0.01), ("water.salinity", 0.009)])
def test_a_cell_out_of_the_water_is_suspect_by_the_shipped_numbers(quantity: str, low: float) -> None:
    """0 is air, not fresh water, whatever the device makes of it: a probe that fell dry must not lead to `take`. The freshest canal water stays good."""
    shipped = tomllib.loads((files(config) / "qc.toml").read_text("utf-8"))
    assert flags(quantity, [0.0, -0.0, low, 0.05, 0.1], shipped) == [3, 3, 3, 1, 1]
