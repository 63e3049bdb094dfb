"""Parameters and sources of a growing list of series."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canhman.configuration import read_qc
from core.derived import DERIVED
from core.errors import ConfigError
from core.series import SeriesKey
from quality.rules import TESTS, Rules, explained

QUANTITIES = sorted({q for d in DERIVED for q in (d.quantity, *d.sources)} | {"water.level"})
ALL = [SeriesKey("default", station, "main", "d", quantity) for station in ("a", "b") for quantity in QUANTITIES]


@given(keys=st.permutations(ALL), cuts=st.sets(st.integers(1, len(ALL) - 1), max_size=5))
def test_grown_in_parts_is_the_same_as_at_once(keys: list[SeriesKey], cuts: set[int]) -> None:
    """In whatever order and steps series are met: parameters and sources are those of the whole list."""
    config = read_qc(None)
    whole = Rules(config, keys)
    whole.grow()
    growing: list[SeriesKey] = []
    parts = Rules(config, growing)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(keys)], strict=True):
        growing += keys[start:end]
        parts.grow()
    series = np.arange(len(keys), dtype=np.int32)
    for test in config.tests:
        for name, column in whole.params(test, series).items():
            np.testing.assert_array_equal(column, parts.params(test, series)[name])
    for d, derived in enumerate(DERIVED):
        assert parts.sources[d].tolist() == whole.sources[d].tolist()
        for i, key in enumerate(keys):
            want = (
                [keys.index(key._replace(quantity=source)) for source in derived.sources] if key.quantity == derived.quantity else [-1] * len(derived.sources)
            )
            assert whole.sources[d][i].tolist() == want


def test_a_parameter_without_its_sentence_is_refused() -> None:
    """Where the tests are collected, in a sentence that names file and parameter: not later, as a bare KeyError of `make docs`."""
    step = replace(TESTS["stuck"], name="step", params={"largest": 20.0}, about={})
    with pytest.raises(ConfigError, match=re.escape("quality/tests/step.py: `about` has no sentence for the parameter `largest`")):
        explained({"step": step})
    with pytest.raises(ConfigError, match=re.escape("quality/tests/step.py: `about` explains the parameter `smallest`")):
        explained({"step": replace(step, about={"largest": "The largest step.", "smallest": "None."})})
    told = {"step": replace(step, about={"largest": "The largest step."})}
    assert explained(told) == told
