"""Which inputs nets and the kernel machine hear louder, and that it helps where most inputs tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.daily.learners import LEAST_LOUD, LOUDEST, Machine, fit_learners, loudness
from analytics.daily.panel import Floats


def test_what_matters_is_louder_and_the_whole_as_loud_as_before() -> None:
    """In the order of importance, mean square 1; at power 0, and where nothing matters, all are alike."""
    found = loudness(np.array([0.7, 0.2, 0.1, 0.0]), 0.5)
    assert (np.diff(found) < 0).all()
    assert np.mean(found**2) == pytest.approx(1)
    assert loudness(np.array([0.7, 0.3]), 0.0).tolist() == [1, 1]
    assert loudness(np.zeros(3), 0.5).tolist() == [1, 1, 1]


def test_none_is_deafening_and_none_is_silent() -> None:
    """One input that alone matters among two hundred is at most forty times as loud as one that does not."""
    found = loudness(np.array([1.0, *[0.0] * 199]), 0.5)
    assert found[0] / found[1] == pytest.approx(LOUDEST / LEAST_LOUD)


@pytest.mark.parametrize(("lead", "least"), [(1, 0.85), (14, 0.97)])
def test_the_kernel_machine_learns_better_among_inputs_that_tell_nothing(lead: int, least: float) -> None:
    """Two of forty inputs make what comes: the error is lower than with all alike, much lower one day ahead."""
    draw = np.random.default_rng(2)
    x = draw.normal(size=(600, 40))
    z = np.sin(2 * x[:, 0]) + x[:, 1] + draw.normal(0, 0.1, 600)

    def error(x: Floats, lead: int, patch: pytest.MonkeyPatch, power: float) -> float:
        patch.setattr("analytics.daily.learners.LOUD", power)
        machine = next(one for one in fit_learners(x[:400], z[:400], trees=20, lead=lead) if isinstance(one, Machine))
        return float(np.sqrt(np.mean((machine(x[400:]) - z[400:]) ** 2)))

    with pytest.MonkeyPatch.context() as patch:
        assert error(x, lead, patch, 0.5) < least * error(x, lead, patch, 0.0)
