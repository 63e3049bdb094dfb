"""crops.toml: every figure with what stands behind it; whatever cannot be meant is one clear line."""

from __future__ import annotations

import copy
import tomllib
from importlib.resources import files
from typing import Any

import pytest

import config
from analytics import ground
from analytics.crops import FIGURES, Crops, parse_crops
from analytics.figure import Figure
from core.errors import ConfigError, NotFoundError
from core.parameter import parameters
from core.seawater import salinity_from_ec

SHIPPED: dict[str, Any] = tomllib.loads((files(config) / "crops.toml").read_text("utf-8"))
READ = parse_crops(SHIPPED)


def figures() -> dict[str, Figure]:
    """Every figure that is shipped, by crop, stage and name."""
    found = {f"{crop.id} {name}": getattr(crop, name) for crop in READ.crops for name in FIGURES}
    found |= {f"{crop.id} {stage.id}": stage.threshold for crop in READ.crops for stage in crop.stages}
    return {name: figure for name, figure in found.items() if figure is not None}


def test_the_shipped_file_holds_the_defaults() -> None:
    """Its numbers are those of a file without any."""
    for name in parameters(Crops):
        assert SHIPPED[name] == getattr(parse_crops({}), name)
    assert READ.ground == parse_crops({}).ground == ground.SHIPPED
    assert list(SHIPPED["ground"]) == list(ground.FIGURES)
    assert not any(getattr(READ.ground, name).verified or getattr(READ.ground, name).approved_by for name in ground.FIGURES)


def test_nobody_has_approved_what_is_shipped() -> None:
    """The file and each figure: an agronomist's name is never ours to write."""
    assert READ.approved_by == ""
    assert {figure.approved_by for figure in figures().values()} == {""}


@pytest.mark.parametrize(
    "name", ["rice slope", "orange threshold", "lime slope", "pomelo threshold", "tomato threshold", "pineapple water_limit", "rice root_depth", "bean slope"]
)
def test_what_was_not_held_against_its_source_says_so(name: str) -> None:
    """Figures from memory, from a third party's copy or of another variety are marked."""
    assert not figures()[name].verified


def test_the_crops_of_the_delta_are_there() -> None:
    """Rice with its stages; durian and pineapple have limits of water, and no yield figures that anybody found."""
    assert [s.id for s in READ.crop("rice").stages] == ["seedling", "tillering", "flowering", "ripening"]
    for name in ("durian", "pineapple"):
        assert (READ.crop(name).threshold, READ.crop(name).slope) == (None, None)
    assert READ.crop("durian").water_limit.value == 0.5
    assert {"orange", "lime", "pomelo", "sugarcane", "leaf-vegetables"} <= {crop.id for crop in READ.crops}


@pytest.mark.parametrize("crop", [crop for crop in READ.crops if crop.threshold], ids=lambda crop: crop.id)
def test_no_limit_of_water_is_looser_than_the_threshold_of_the_soil(crop: Any) -> None:
    """FAO-29: ECe = 1.5 ECw at a usual leaching; the shipped limit of water is at or under what that allows."""
    assert crop.water_limit.value <= float(salinity_from_ec(crop.threshold.value / 1.5))


def test_a_stage_has_its_own_threshold_or_the_crops() -> None:
    """Where the stage is not known, the most cautious of all counts."""
    rice = READ.crop("rice")
    assert [rice.threshold_at(s).value for s in ("seedling", "flowering", None)] == [1.9, 3.0, 1.9]  # type: ignore[union-attr]  # rice has them
    assert READ.crop("durian").threshold_at(None) is None


def test_a_stage_that_bears_more_does_not_speak_for_the_others() -> None:
    """Where the stage is not known, the crop's own threshold counts beside those of its stages."""
    document = changed("crop.0.stage.0.threshold.value", 5.0)
    del document["crop"][0]["stage"][1]
    rice = parse_crops(document).crop("rice")
    assert [rice.threshold_at(s).value for s in ("seedling", None)] == [5.0, 3.0]  # type: ignore[union-attr]  # rice has them


def test_what_is_not_there_is_named() -> None:
    """An unknown crop and an unknown stage, with those there are."""
    with pytest.raises(NotFoundError, match=r"no crop 'coffee'.*rice"):
        READ.crop("coffee")
    with pytest.raises(NotFoundError, match=r"rice has no stage 'fruit'.*seedling"):
        READ.crop("rice").threshold_at("fruit")
    with pytest.raises(NotFoundError, match="it has: none"):
        READ.crop("durian").threshold_at("fruit")


def test_the_hash_tells_other_figures_apart() -> None:
    """It changes with any figure, and with nothing else."""
    other = copy.deepcopy(SHIPPED)
    assert parse_crops(other).hash == READ.hash
    other["crop"][0]["slope"]["value"] = 13
    assert parse_crops(other).hash != READ.hash


def changed(path: str, value: Any) -> dict[str, Any]:
    """The shipped file with one thing changed, or taken away where the value is None."""
    document: dict[str, Any] = copy.deepcopy(SHIPPED)
    place: Any = document
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("corp", [], "unknown 'corp'"),
        ("crop.0.treshold", 3, "crop rice: unknown 'treshold'"),
        ("crop.0.stage.0.slope", 3, "crop rice: stage seedling: unknown 'slope'"),
        ("crop.0.slope.sources", "x", "crop rice: slope: unknown 'sources'"),
        ("crop.0.threshold", 3.0, "crop rice: threshold must be a table"),
        ("crop.0.threshold.value", 0, "crop rice: threshold.value must lie within > 0, ≤ 20 dS/m, found 0"),
        ("crop.0.threshold.value", 20.1, "threshold.value must lie within"),
        ("crop.0.root_depth.value", 0.09, "root_depth.value must lie within ≥ 0.1, ≤ 3 m"),
        ("crop.0.slope.value", float("nan"), "slope.value must be a number"),
        ("crop.0.slope.value", True, "slope.value must be a number"),
        ("crop.0.slope.value", None, "slope.value must be a number"),
        ("crop.0.slope.source", " ", "slope.source must be a text that is not empty"),
        ("crop.0.slope.source", None, "slope.source must be a text that is not empty"),
        ("crop.0.slope.verified", None, "slope.verified must be true or false"),
        ("crop.0.slope.approved_by", None, "slope.approved_by must be a text"),
        ("crop.0.slope", None, "crop rice: threshold and slope go together"),
        ("crop.0.water_limit", None, "crop rice: water_limit is missing"),
        ("crop.0.vi", None, "crop rice: vi must be a text"),
        ("crop.0.id", "Sweet potato", "id must be a slug"),
        ("crop.1.id", "rice", "rice is given twice"),
        ("crop.0.stage.1.id", "seedling", "crop rice: seedling is given twice"),
        ("crop.0.stage.0.is_sensitive", "yes", "is_sensitive must be true or false"),
        ("crop.0.stage.0.source", "", "source must be a text"),
        ("crop.0.stage", {"id": "x"}, r"must be written as [[stage]] tables"),
        ("crop", [3], r"must be written as [[crop]] tables"),
        ("approved_by", 3, "approved_by must be a text"),
        ("soil_max_age_h", 73, "soil_max_age_h must lie within > 0, ≤ 72 h"),
        ("water_max_age_h", 6.0, "unknown 'water_max_age_h'; known: approved_by, crop, ground, most_leaching, soil_max_age_h"),
        ("most_leaching", 0.6, "most_leaching must lie within > 0, ≤ 0.5"),
    ],
)
def test_what_cannot_be_meant_is_one_line(path: str, value: Any, said: str) -> None:
    """It names the file, the crop and the key."""
    with pytest.raises(ConfigError) as caught:
        parse_crops(changed(path, value), where="ours/crops.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("ours/crops.toml: ")
    assert "\n" not in str(caught.value)


def test_a_stages_threshold_needs_its_crops() -> None:
    """Without the crop's slope it would tell no yield."""
    document = changed("crop.0.slope", None)
    del document["crop"][0]["threshold"]
    with pytest.raises(ConfigError, match="stage seedling has a threshold, its crop has none"):
        parse_crops(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wilting": 0.36}, "wilting = 0.36 must be less than field_capacity = 0.36"),
        ({"field_capacity": 0.45}, "field_capacity = 0.45 must be less than saturation_least"),
        ({"use_least": 9.0}, "use_least = 9 must be at most use_most = 8"),
        ({"saturation_most": 1.1}, "ground: saturation_most.value must lie within"),
        ({"field_capacity": 1.0}, "ground: field_capacity.value must lie within"),
        ({"porosity": 0.5}, "ground: unknown 'porosity'"),
    ],
)
def test_a_ground_that_cannot_be(change: dict[str, float], said: str) -> None:
    """One line that names the key and what it must be."""
    table = {name: {"value": value, "source": "x", "verified": False, "approved_by": ""} for name, value in change.items()}
    with pytest.raises(ConfigError) as refused:
        parse_crops({"ground": table})
    assert said in str(refused.value)
