"""A packed forest says what scikit-learn's says, of any row beside any others."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.daily import forest as module
from analytics.daily.forest import Forest, packed_forest
from analytics.daily.panel import Floats

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(500, 6))
Z = 1e3 * X[:, 0] * X[:, 1] + X[:, 2]


@cache
def theirs() -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(30, min_samples_leaf=3, random_state=0).fit(X, Z)


@cache
def ours() -> Forest:
    return packed_forest(theirs())


def test_it_agrees_with_the_forest_it_was_made_of() -> None:
    """To a millionth, on rows learned from and on others."""
    for x in (X, DRAW.normal(size=(200, 6)), np.full((1, 6), 50.0)):
        np.testing.assert_allclose(ours()(x), theirs().predict(x), rtol=1e-6, atol=1e-6)


def test_a_row_on_a_bound_takes_the_same_branch() -> None:
    """Bounds are rounded so that inputs of single precision that lie just beside them go where they went."""
    bounds = np.concatenate([one.tree_.threshold[one.tree_.feature == 0] for one in theirs().estimators_])
    near = bounds.astype(np.float32)
    x = np.repeat(X[:1], 3 * len(near), axis=0)
    x[:, 0] = np.concatenate([np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))])
    np.testing.assert_allclose(ours()(x), theirs().predict(x), rtol=1e-6, atol=1e-6)


def test_a_forest_that_learned_nothing_says_its_mean() -> None:
    """Trees of one leaf; and no rows ask for nothing."""
    from sklearn.ensemble import ExtraTreesRegressor

    flat = packed_forest(ExtraTreesRegressor(5, random_state=0).fit(X[:, :1], np.full(len(X), 2.5)))
    assert flat(X[:3, :1]).tolist() == [2.5, 2.5, 2.5]
    assert flat(X[:0, :1]).shape == (0,)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATHS", 200)


@pytest.mark.usefixtures("small_blocks")
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=40))
def test_a_rows_bits_are_its_own(rows: list[int]) -> None:
    """Whatever rows are asked beside it, in whatever block it falls."""
    together = ours()(X[rows])
    alone: Floats = np.concatenate([ours()(X[[row]]) for row in rows])
    assert together.tobytes() == alone.tobytes()
