"""Advice about soil: "not known" without a good and fresh reading, nobody sent to put water on but by the verdict, and no word on whether it may be taken."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.crops import Crop, Crops, parse_crops
from analytics.figure import Figure
from analytics.soil_advice import Advice, SoilState, soil_advice, words
from canhman.configuration import read_toml
from core.errors import NotFoundError
from core.seawater import ec_from_salinity
from core.texts import LANGUAGES, say, texts
from core.verdict import Verdict

NAN = float("nan")
RULES = parse_crops(read_toml("crops.toml", None))


def water(verdict: str, limit: float = 1.0) -> Verdict:
    """A verdict on the irrigation water."""
    return Verdict(verdict=verdict, reason="ok", band=0, as_of=0, until=None, p=0.01, limit=limit)


SALTY = SoilState(ece=(4.0, 5.0), age_h=3.0, is_good=True, water=water("take"), water_ec=0.8)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def advice(state: SoilState, crop: str = "rice", stage: str | None = "flowering", rules: Crops = RULES) -> Advice:
    return soil_advice(state, rules.crop(crop), stage, rules)


@pytest.mark.parametrize(
    ("change", "act", "why"),
    [
        ({}, "leach", "above"),
        ({"ece": (3.0, 3.0)}, "leach", "above"),
        ({"ece": (2.9, 3.1)}, "measure", "unsure"),
        ({"ece": (1.0, 2.9)}, "wait", "below"),
        ({"ece": (1.0, 3.0)}, "measure", "unsure"),
        ({"ece": (0.0, math.inf)}, "unknown", "no_ece"),
        ({"ece": (NAN, NAN)}, "unknown", "no_ece"),
        ({"ece": (5.0, 4.0)}, "unknown", "no_ece"),
        ({"ece": (-1.0, 1.0)}, "unknown", "no_ece"),
        ({"is_good": False}, "unknown", "no_reading"),
        ({"age_h": 48.1}, "unknown", "no_reading"),
        ({"age_h": NAN}, "unknown", "no_reading"),
        ({"age_h": -1.0}, "unknown", "no_reading"),
        ({"water_ec": NAN}, "measure", "no_water"),
        ({"water_ec": -1.0}, "measure", "no_water"),
        ({"water_ec": math.inf}, "measure", "no_water"),
        ({"water": None}, "measure", "no_water"),
        ({"water": water("unknown")}, "measure", "no_water"),
        ({"water": water("a word of another day")}, "measure", "no_water"),
        ({"water": water("measure")}, "measure", "unsure_water"),
        ({"water": water("wait")}, "wait", "salt_comes"),
        ({"water": water("stop")}, "wait", "salt_comes"),
        ({"water": water("wait"), "water_ec": 1.97}, "wait", "salty_water"),
        ({"water": water("stop"), "water_ec": 4.0}, "wait", "salty_water"),
        ({"water_ec": 1.97}, "wait", "salty_water"),
    ],
)
def test_what_follows_from_what(change: dict[str, object], act: str, why: str) -> None:
    """Rice at heading (threshold 3.0 dS/m, water limit 1 g/L = 1.964 dS/m), one thing changed at a time."""
    said = advice(replace(SALTY, **change))  # type: ignore[arg-type]  # fields by name
    assert (said.act, said.why) == (act, f"soil.why.{why}")


def test_the_stage_decides() -> None:
    """2 to 2.5 dS/m: over what seedlings bear, under what rice bears at heading; a stage nobody knows counts as the most cautious."""
    state = replace(SALTY, ece=(2.0, 2.5))
    assert [advice(state, stage=s).act for s in ("seedling", "flowering", None)] == ["leach", "wait", "leach"]
    assert [advice(state, stage=s).is_sensitive for s in ("seedling", "ripening", None)] == [True, False, False]
    with pytest.raises(NotFoundError, match="no stage 'fruit'"):
        advice(state, stage="fruit")


@pytest.mark.parametrize("crop", ["durian", "pineapple", "leaf-vegetables"])
def test_a_crop_without_figures_is_not_known(crop: str) -> None:
    """However fresh or salty the soil."""
    for ece in ((0.1, 0.2), (20.0, 30.0)):
        said = advice(replace(SALTY, ece=ece), crop=crop, stage=None)
        assert (said.act, said.why, said.loss) == ("unknown", "soil.why.no_figures", None)


def test_how_much_must_drain_and_what_is_lost() -> None:
    """0.8 / (5 × 3 − 0.8) = 5.6 % of the water; 12 % of the yield for each dS/m over 3."""
    said = advice(SALTY)
    assert said.leaching == pytest.approx(0.8 / 14.2)
    assert said.loss == pytest.approx((12, 24))
    assert "6%" in words(said, "en")[2]
    assert "12% to 24%" in words(said, "en")[3]


def test_more_leaching_than_may_be_advised_waits() -> None:
    """Orange at 0.42 g/L asks for 15 %; where only 10 % may be advised, it waits for fresher water."""
    state = replace(SALTY, water_ec=0.85)
    assert advice(state, crop="orange", stage=None).act == "leach"
    assert advice(state, crop="orange", stage=None, rules=replace(RULES, most_leaching=0.1)).act == "wait"


WATERS = st.none() | st.builds(water, st.sampled_from(["take", "measure", "wait", "stop", "unknown", ""]), st.floats(0.1, 4))
STATES = st.builds(SoilState, ece=st.tuples(ANY, ANY), age_h=ANY, is_good=st.booleans(), water=WATERS, water_ec=ANY)
NEAR = st.builds(
    SoilState,
    ece=st.tuples(st.floats(0, 8), st.floats(0, 8)),
    age_h=st.floats(0, 60),
    is_good=st.booleans(),
    water=WATERS,
    water_ec=st.floats(0, 3),
)


@given(state=st.one_of(STATES, NEAR), crop=st.sampled_from([c.id for c in RULES.crops]))
def test_never_more_than_the_readings_bear(state: SoilState, crop: str) -> None:
    """Whatever comes in: not known without a good fresh reading; leach only where the verdict is to take; under the threshold only where all of the span is."""
    said = advice(state, crop=crop, stage=None)
    if not (state.is_good and 0 <= state.age_h <= RULES.soil_max_age_h):
        assert said.act == "unknown"
    if said.act == "leach":
        assert state.water is not None
        assert state.water.verdict == "take"
        assert state.water_ec < ec_from_salinity(state.water.limit)
        assert said.leaching is not None
        assert 0 <= said.leaching <= RULES.most_leaching
    if said.why == "soil.why.below":
        threshold = RULES.crop(crop).threshold_at(None)
        assert threshold is not None
        assert 0 <= state.ece[0] <= state.ece[1] < threshold.value
    assert all(words(said, lang) for lang in LANGUAGES)


def approve(figure: Figure | None, by: str) -> Figure | None:
    return replace(figure, approved_by=by) if figure else None


def test_until_all_it_rests_on_is_approved_it_says_so() -> None:
    """The file's numbers, the threshold, the slope, the limit of water and the soil's paste: one without a name is enough."""
    rice: Crop = RULES.crop("rice")
    by_hand = {name: approve(getattr(rice, name), "TS. Lan") for name in ("threshold", "slope", "water_limit")}
    approved = replace(rice, **by_hand)  # type: ignore[arg-type]  # figures by name
    paste = {name: approve(getattr(RULES.ground, name), "TS. Lan") for name in ("saturation_least", "saturation_most")}
    rules = replace(RULES, approved_by="TS. Lan", ground=replace(RULES.ground, **paste))  # type: ignore[arg-type]  # figures by name
    assert soil_advice(SALTY, approved, "flowering", rules).is_approved
    for name in by_hand:
        one_less = replace(approved, **{name: getattr(rice, name)})
        assert not soil_advice(SALTY, one_less, "flowering", rules).is_approved
    assert not soil_advice(SALTY, approved, "flowering", RULES).is_approved
    assert not soil_advice(SALTY, approved, "flowering", replace(RULES, approved_by="TS. Lan")).is_approved
    for lang in LANGUAGES:
        assert words(soil_advice(SALTY, approved, "flowering", rules), lang)[-1] != say(lang, "soil.unapproved")
        assert words(advice(SALTY), lang)[-1] == say(lang, "soil.unapproved")
        assert "chưa được duyệt" in say(lang, "soil.unapproved")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_word_says_that_water_may_be_taken(lang: str) -> None:
    """Only the verdict may; where washing is advised, it sends the reader there."""
    said = {key: text.lower() for key, text in texts(lang).items() if key.startswith("soil.")}
    assert said
    for text in said.values():
        assert not any(word in text for word in ("safe", "an toàn", "lấy được", "tưới được", "fine for", "ngọt,"))
    assert {"vi": "coi trạm", "en": "see what the station"}[lang] in said["soil.why.above"]


@pytest.mark.parametrize(
    ("lang", "waits"), [("vi", "Khoan rửa: chờ trạm có số đo nước mới và tốt"), ("en", "Do not wash yet: wait until the station has a fresh and good")]
)
def test_where_the_water_is_not_known_it_says_what_it_waits_for(lang: str, waits: str) -> None:
    """And names no share that must drain."""
    said = advice(replace(SALTY, water=water("unknown")))
    assert waits in words(said, lang)[1]
    assert said.leaching is None
