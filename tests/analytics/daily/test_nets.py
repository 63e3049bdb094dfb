"""Small nets learned side by side: they learn what is no straight line, the same twice."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.daily import nets
from analytics.daily.learners import Nets, fit_learners
from analytics.daily.nets import BATCH, fit_nets
from analytics.daily.panel import Floats

DRAW = np.random.default_rng(1)
X = DRAW.normal(size=(1500, 5))
Z = np.abs(X[:, 0]) - 0.8 + 0.5 * X[:, 1] + DRAW.normal(0, 0.1, len(X))


def said(x: Floats, z: Floats, of: Floats) -> Floats:
    into, bias, out, level = fit_nets(x, z)
    return np.asarray(np.maximum(of @ into + bias, 0) @ out + level, dtype=np.float64)


def test_they_learn_a_bend() -> None:
    """On rows they did not see the error is under a third of what a straight line leaves."""
    there, here = slice(0, 1200), slice(1200, None)
    line = np.linalg.lstsq(np.insert(X[there], 0, 1, axis=1), Z[there], rcond=None)[0]
    left = Z[here] - np.insert(X[here], 0, 1, axis=1) @ line
    assert (said(X[there], Z[there], X[here]) - Z[here]).std() < left.std() / 3


def test_they_learn_the_same_twice() -> None:
    """To the bit."""
    one, other = fit_nets(X, Z), fit_nets(X, Z)
    assert [np.asarray(a).tobytes() for a in one] == [np.asarray(b).tobytes() for b in other]


def test_fewer_rows_than_a_batch_are_enough() -> None:
    """And a last batch of one row does no harm."""
    for n in (BATCH // 2, BATCH + 1):
        assert np.isfinite(said(X[:n], Z[:n], X)).all()


def test_they_stay_within_what_was_seen() -> None:
    """Inputs far beyond those learned from move nobody beyond a tenth more than the changes seen."""
    found = next(one for one in fit_learners(X, Z, trees=2, lead=1) if isinstance(one, Nets))
    far = found(np.array([[50.0, 50, 0, 0, 0], [-50.0, -50, 0, 0, 0]]))
    assert far.max() <= 1.1 * Z.max()
    assert far.min() >= 1.1 * Z.min()


def test_a_storm_is_not_what_every_day_is_learned_from() -> None:
    """One row in fifty is off by twenty spreads: on all the others they err by half of what they would, were its square learned from."""
    wild = Z.copy()
    wild[::50] += 20 * Z.std()
    calm = np.arange(len(Z)) % 50 > 0
    found = np.sqrt(np.mean((said(X, wild / Z.std(), X) * Z.std() - Z)[calm] ** 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nets, "WILD", np.inf)
        squared = np.sqrt(np.mean((said(X, wild / Z.std(), X) * Z.std() - Z)[calm] ** 2))
    assert found < squared / 2


def test_the_order_of_rows_hardly_matters() -> None:
    """What the last batches hold leaves no mark on the mean of all nets: the bound is a twentieth of the noise."""
    other = np.random.default_rng(4).permutation(len(X))
    assert np.abs(said(X, Z, X) - said(X[other], Z[other], X)).mean() < 0.005
