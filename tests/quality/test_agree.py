"""Agreement: what cannot both be true is suspect, what differs by scale, rounding or compensation is not."""

from __future__ import annotations

import gsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canhman.configuration import read_qc
from core.batch import Batch
from core.flags import INHERITED_BIT
from core.seawater import ec25_from_raw, ec_from_salinity, salinity_from_ec
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules, parse

T = 1_772_420_400_000
SHIPPED = read_qc(None)
AGREE = 1 << 2


def judged(values: dict[str, float], *, sensors: dict[str, str] | None = None, at: dict[str, int] | None = None) -> dict[str, tuple[int, bool]]:
    """{quantity: (flag, whether it is in a contradiction)} of values of one time, by the shipped numbers."""
    names = sorted(values)
    keys = [SeriesKey("o", "s", "main", (sensors or {}).get(name, "d"), name) for name in names]
    rows = Batch.of(range(len(names)), [T + (at or {}).get(name, 0) for name in names], [values[name] for name in names])
    flags, bits = judge(rows, Rules(SHIPPED, keys))
    return {name: (int(flags[i]), bool(bits[i] & AGREE)) for i, name in enumerate(names)}


@pytest.mark.parametrize(
    "values",
    [
        {"water.ec": 12.0, "water.salinity": 0.1},
        {"water.ec": 0.2, "water.salinity": 7.0},
        {"water.ec": 7.242, "water.salinity": 0.4},  # tenths lost
        {"water.ec": 0.0724, "water.salinity": 4.0},
        {"water.ec_raw": 12.0, "water.salinity": 0.1},
        {"water.chloride": 5130.0, "water.salinity": 0.1},
        {"water.ec_raw": 12.0, "water.temperature": 29.0, "water.ec": 0.4},
    ],
    ids=lambda values: " ".join(f"{name.removeprefix('water.')} {value:g}" for name, value in values.items()),
)
def test_what_cannot_both_be_true_is_suspect(values: dict[str, float]) -> None:
    """Neither is good: nobody knows which is wrong."""
    assert judged(values) == dict.fromkeys(values, (3, True))


def test_all_of_a_message_that_contradicts_itself() -> None:
    """A salinity of the device's own beside what its raw conductivity and temperature say: also the conductivity that came of these."""
    ec = float(ec25_from_raw(12.0, 29.0))
    found = judged({"water.ec_raw": 12.0, "water.temperature": 29.0, "water.ec": ec, "water.salinity": 0.1})
    assert {name: flag for name, (flag, _) in found.items()} == {"water.ec_raw": 3, "water.temperature": 1, "water.ec": 3, "water.salinity": 3}


@given(salinity=st.floats(0.02, 35.0), scale=st.floats(0.5, 0.7), tenths=st.booleans())
def test_a_scale_of_dissolved_solids_and_tenths_agree(salinity: float, scale: float, tenths: bool) -> None:
    """Devices that multiply conductivity by 0.5 to 0.7, and round to tenths, contradict nothing."""
    ec = float(ec_from_salinity(salinity))
    own = round(scale * ec, 1) if tenths else scale * ec
    assert not judged({"water.ec": ec, "water.salinity": own})["water.salinity"][1]


@given(salinity=st.floats(0.02, 35.0), temperature=st.floats(17.0, 34.0), per_degree=st.floats(1.9, 2.1), raw=st.booleans())
def test_another_compensation_agrees(salinity: float, temperature: float, per_degree: float, raw: bool) -> None:
    """Two per cent a degree, or no compensation at all, are no contradiction; nor is salinity that was worked out of the raw conductivity and temperature."""
    measured = float(gsw.C_from_SP(gsw.SP_from_C(float(ec_from_salinity(salinity)), 25.0, 0.0), temperature, 0.0))
    ec = measured if raw else measured / (1 + per_degree / 100 * (temperature - 25))
    found = judged({"water.ec_raw": measured, "water.temperature": temperature, "water.ec": ec, "water.salinity": salinity})
    assert not any(contradicts for _, contradicts in found.values())


@given(limit=st.sampled_from([0.5, 1.0, 2.0, 4.0]), share=st.floats(0, 0.999), ec=st.floats(0.03, 60))
def test_what_is_taken_at_half_a_limit_is_under_it_by_conductivity(limit: float, share: float, ec: float) -> None:
    """The reason of the tolerance: a salinity that is good and under half a line does not stand beside a conductivity of that line."""
    own = share * limit / 2
    if judged({"water.ec": ec, "water.salinity": own})["water.salinity"][0] == 1:
        assert float(salinity_from_ec(ec)) < limit


def test_derived_values_agree_with_themselves() -> None:
    """Over the whole range, from nothing to beyond the sea."""
    raw, temperature = (x.ravel() for x in np.meshgrid(np.geomspace(1e-4, 75.0, 60), np.linspace(0.0, 50.0, 26)))
    ec = ec25_from_raw(raw, temperature)
    columns = {"water.ec_raw": raw, "water.temperature": temperature, "water.ec": ec, "water.salinity": salinity_from_ec(ec)}
    keys = [SeriesKey("o", "s", "main", "d", name) for name in columns]
    n = len(raw)
    rows = Batch.of(np.repeat(np.arange(4, dtype=np.int32), n), np.tile(T + np.arange(n), 4), np.concatenate(list(columns.values())))
    bits = judge(rows, Rules(SHIPPED, keys))[1].reshape(4, n)
    # where water is thought to be 15 to 40 °C, and its temperature was measured otherwise, the thermometer is suspect already
    usual = (temperature >= 15) & (temperature <= 40)
    assert not (bits[:, usual] & AGREE).any()
    assert not (bits[2] & AGREE)[~usual & (raw < 1e-2)].any()


def test_other_sensors_and_other_times_are_no_contradiction() -> None:
    """Two depths, two probes, two minutes: each may be true."""
    values = {"water.ec": 12.0, "water.salinity": 0.1}
    assert judged(values, sensors={"water.ec": "other"}) == dict.fromkeys(values, (1, False))
    assert judged(values, at={"water.ec": 60_000}) == dict.fromkeys(values, (1, False))


def test_without_parameters_it_says_nothing() -> None:
    """A configuration that lacks the tolerance flags nothing."""
    keys = [SeriesKey("o", "s", "main", "d", name) for name in ("water.ec", "water.salinity")]
    flags, bits = judge(Batch.of([0, 1], [T, T], [12.0, 0.1]), Rules(parse({}), keys))
    assert (flags.tolist(), bits.tolist()) == ([1, 1], [0, 0])


def test_a_suspect_source_is_still_handed_on() -> None:
    """What is in no contradiction inherits as before."""
    keys = [SeriesKey("o", "s", "main", "d", name) for name in ("water.ec", "water.salinity")]
    flags, bits = judge(Batch.of([0, 1], [T, T], [0.01, float(salinity_from_ec(0.01))]), Rules(SHIPPED, keys))
    assert flags.tolist() == [3, 3]
    assert bits.tolist()[1] & ~1 == 1 << INHERITED_BIT
