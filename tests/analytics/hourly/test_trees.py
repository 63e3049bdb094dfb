"""Trees as arrays say what the library that grew them says."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.hourly.trees import LEAVES, BoostedTrees, trees_of

FEATURES, OWN = 6, 2


def rows(seed: int, n: int) -> np.ndarray:
    """Numbers on a grid, so that many lie on a cut, many unknown; one column is either 1 or unknown, one always 0."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(n, FEATURES)), 1)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 4] = np.where(rng.random(n) < 0.5, np.nan, 1.0)
    x[:, 5] = 0.0
    return x


@cache
def grown(unknown: bool = True) -> tuple[Any, BoostedTrees]:
    """Learned from rows with and without unknown values: where there were none, they go the way of the many."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x = rows(0, 3000)
    if not unknown:
        x = np.nan_to_num(x)
    over = np.nan_to_num(x[:, 0] - x[:, 1] * x[:, 2]) + np.isnan(x[:, 4]) + np.random.default_rng(1).normal(0, 0.5, len(x)) > 0.3
    model = HistGradientBoostingClassifier(max_iter=25, max_leaf_nodes=LEAVES, min_samples_leaf=5, early_stopping=False, random_state=0).fit(x, over)
    return model, trees_of(model)


@pytest.mark.parametrize("unknown", [True, False])
@settings(max_examples=15)
@given(seed=st.integers(1, 10_000), k=st.integers(1, 60), m=st.integers(1, 5))
def test_they_say_what_the_library_says(unknown: bool, seed: int, k: int, m: int) -> None:
    """Log odds of any rows, unknown values and values on a cut among them, with any number of variants, within 1e-9."""
    model, trees = grown(unknown)
    x = rows(seed, k * m).reshape(k, m, FEATURES)
    x[:, :, OWN:] = x[:, :1, OWN:]
    said = trees.score(np.moveaxis(x[:, :, :OWN], 2, 0), x[:, 0, OWN:].T)
    assert np.abs(said - model.decision_function(x.reshape(k * m, FEATURES)).reshape(k, m)).max() < 1e-9


def test_each_leaf_is_reached() -> None:
    """No tree says but one thing of all rows."""
    _, trees = grown()
    for one in range(len(trees.value)):
        alone = BoostedTrees(
            feature=trees.feature[one : one + 1],
            cut=trees.cut[one : one + 1],
            cuts=trees.cuts,
            unknown_right=trees.unknown_right[one : one + 1],
            left=trees.left[one : one + 1],
            value=np.arange(LEAVES, dtype=np.float64)[None],
            base=0.0,
        )
        x = rows(0, 3000)
        assert set(np.unique(alone.score(x[:, None, :OWN].transpose(2, 0, 1), x[:, OWN:].T))) == set(range(int((trees.left[one] > 0).sum()) + 1))


def test_no_rows() -> None:
    """None is no error."""
    assert grown()[1].score(np.empty((OWN, 0, 3)), np.empty((FEATURES - OWN, 0))).shape == (0, 3)
