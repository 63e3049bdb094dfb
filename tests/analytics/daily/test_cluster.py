"""Leads are learned wherever joblib's backend of the moment sends them: here on a Dask cluster."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster

from analytics.daily.gaussian import Kernel
from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.panel import Daily

pytestmark = pytest.mark.sockets
LINES = (1.0, 4.0)


def two_years() -> Daily:
    """Salt that comes with springs and wanders."""
    draw = np.random.default_rng(2)
    t = np.arange(430)[:, None]
    salt = np.exp(0.7 * np.cos(2 * np.pi * t / 14.765) + np.cumsum(draw.normal(0, 0.05, (430, 2)), axis=0))
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), salt)
    return Daily(zone="Asia/Ho_Chi_Minh", days=np.datetime64("2020-01-01") + np.arange(430), stations=("a", "b"), drivers={}, **parts)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learners that cost little; where they learn is asked here."""
    for name in ("crossfit.TREES", "crossfit.FEWER_TREES", "spread._TREES", "nets.EPOCHS"):
        monkeypatch.setattr(f"analytics.daily.{name}", 5)
    monkeypatch.setattr("analytics.daily.models.gaussian.fit_kernel", lambda values, above: Kernel())


@pytest.mark.usefixtures("light")
def test_a_cluster_learns_the_same() -> None:
    """Two leads on two workers, or one after the other at home: equal to the bit."""
    daily = two_years()
    home = fit_ensemble(daily, (1, 2), LINES, jobs=1)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask"):
            away = fit_ensemble(daily, (1, 2), LINES)
        assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter) > 0, "nothing was sent to the cluster"
    at = (np.array([420, 429]), np.array([0, 1]))
    one, other = home.say(daily, *at), away.say(daily, *at)
    for lead in (1, 2):
        assert home.leads[lead].bare is not None
        assert one[lead].quantiles.tobytes() == other[lead].quantiles.tobytes()
        assert one[lead].p_gt.tobytes() == other[lead].p_gt.tobytes()
