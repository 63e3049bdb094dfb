"""Deployments that cannot both be true are refused; all others stand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConflictError
from core.place import Deployment
from registry.deployments import check_overlaps, describe

BASE = Deployment(device="kl01", channel="main", station="a", point="main", end=10)

deployments = st.builds(
    Deployment,
    device=st.sampled_from(["kl01", "kl02"]),
    channel=st.sampled_from(["main", "d10"]),
    station=st.sampled_from(["a", "b"]),
    point=st.just("main"),
    start=st.integers(0, 6),
    end=st.integers(6, 9),
    role=st.sampled_from(["primary", "check"]),
)


@given(st.lists(deployments, max_size=6))
def test_equals_the_plain_rule(found: list[Deployment]) -> None:
    """Refused exactly where two share a time and a sensor, or share a time, a point and are both primary."""

    def clash(a: Deployment, b: Deployment) -> bool:
        together = max(a.start, b.start) < min(a.end, b.end)
        same_sensor = (a.device, a.channel) == (b.device, b.channel)
        same_series = (a.station, a.point) == (b.station, b.point) and a.role == b.role == "primary"
        return together and (same_sensor or same_series)

    if any(clash(a, b) for a, b in combinations(found, 2)):
        with pytest.raises(ConflictError, match="overlap"):
            check_overlaps(found)
    else:
        check_overlaps(found)


def test_the_error_names_both_and_the_way_out() -> None:
    """An officer reads which two clash and what to do."""
    with pytest.raises(ConflictError, match=r"sensor kl01 at a/main always to 1970.*sensor kl02/d10 at a/main always on.*role check"):
        check_overlaps([BASE, replace(BASE, device="kl02", channel="d10", end=1 << 62)])


def test_a_withdrawn_deployment_is_nowhere() -> None:
    """One that ends where it starts clashes with nothing."""
    check_overlaps([BASE, replace(BASE, start=5, end=5), replace(BASE, device="kl02", start=5, end=5)])
    assert describe(BASE) == "sensor kl01 at a/main always to 1970-01-01T00:00:00.010Z"
