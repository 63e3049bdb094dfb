"""Stuck: trial T15 and its neighbours, and the law that ioos' definition follows (range over the window < tolerance)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canhman.configuration import read_qc
from core.batch import Batch
from core.seawater import ec_from_salinity
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules

T = 1_772_420_400_000
MIN = 60_000


def flags(values: list[float], *, minutes: float = 15, times: list[float] | None = None, quantity: str = "water.ec") -> list[int]:
    at = [T + int(m * MIN) for m in (times or [i * minutes for i in range(len(values))])]
    rules = Rules(read_qc(None), [SeriesKey("o", "s", "main", "d", quantity)])
    value = np.array(values)
    found = judge(Batch.of([0] * len(values), at, value), rules)[0]
    return found.tolist()


def test_a_frozen_register_is_flagged_within_the_configured_hours() -> None:
    """48 h of 5.02 mS/cm: good until 3 h, suspect until 6 h, fail from then on (T15 a)."""
    found = flags([5.02] * 192)
    assert found[:12] == [1] * 12
    assert found[12:24] == [3] * 12
    assert found[24:] == [4] * 168


def test_fresh_water_is_really_flat() -> None:
    """48 h of 0.20 mS/cm are not failed (T15 b)."""
    assert set(flags([0.20] * 192)) == {1}


def test_a_gap_is_no_flat_line() -> None:
    """Missing values and six silent hours flag nothing good: 2.1, –, –, 2.2, –, 2.1, [6 h], 5.8, 5.9, 5.9 (T15 c)."""
    nan = float("nan")
    times = [0, 15, 30, 45, 60, 75, 435, 450, 465]
    assert flags([2.1, nan, nan, 2.2, nan, 2.1, 5.8, 5.9, 5.9], times=times) == [1, 9, 9, 1, 9, 1, 1, 1, 1]
    assert flags([2.1, 2.1, 2.1], times=[0, 15, 60 * 24]) == [1, 1, 1]


def test_one_step_of_the_resolution_is_movement() -> None:
    """A probe that moves by its resolution is not stuck; by less it is."""
    assert set(flags([5.02, 5.03] * 40)) == {1}
    assert flags([5.02, 5.025] * 40)[-1] == 4


def test_two_hourly_data_need_three_equal_values() -> None:
    """At a step of 2 h: two equal values say nothing, three over 4 h are suspect, four over 6 h fail."""
    assert flags([3.0, 3.0, 3.0, 3.0], minutes=120, quantity="water.salinity") == [1, 1, 3, 4]


def test_it_ends_with_the_first_movement() -> None:
    """The first value that moved is good again."""
    assert flags([5.02] * 30 + [5.2])[-1] == 1


def test_the_floor_is_0_3_grams_per_litre() -> None:
    """The floors of the shipped configuration are 0.3 g/L in their own units."""
    config = read_qc(None)
    assert config.general[("stuck", "water.salinity")]["floor"] == 0.3
    assert config.general[("stuck", "water.ec")]["floor"] == pytest.approx(float(ec_from_salinity(0.3)), abs=0.005)


@given(
    steps=st.lists(st.tuples(st.integers(5, 300), st.sampled_from([5.0, 5.0, 5.0, 5.004, 5.02])), min_size=1, max_size=80),
)
def test_it_is_the_plain_definition(steps: list[tuple[int, float]]) -> None:
    """The vectorised form equals the definition written out row by row."""
    minutes = np.cumsum([s for s, _ in steps]).tolist()
    values = [v for _, v in steps]
    found = flags(values, times=minutes)
    for i in range(len(values)):
        want = 1
        for hours, flag in ((3, 3), (6, 4)):
            opens = [j for j in range(i + 1) if minutes[j] <= minutes[i] - hours * 60]
            if not opens:
                continue
            window = range(opens[-1], i + 1)
            unbroken = all(minutes[j] - minutes[j - 1] <= 180 for j in window if j > opens[-1])
            if unbroken and len(window) >= 3 and max(values[j] for j in window) - min(values[j] for j in window) < 0.01 - 1e-8:
                want = flag
        assert found[i] == want, (i, found, minutes, values)
