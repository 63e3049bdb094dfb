"""The reliability table and the parts of a Brier score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.daily.reliability import brier_parts, reliability_table, wilson
from analytics.daily.scores import brier

ROWS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_parts_by_hand() -> None:
    """Said .2 five times (1 event) and .8 five times (3 events): base .4, reliability .02, resolution .04, uncertainty .24."""
    p = np.repeat([0.2, 0.8], 5)
    event = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0], dtype=bool)
    parts = brier_parts(p, event)
    assert (parts.reliability, parts.resolution, parts.uncertainty) == pytest.approx((0.02, 0.04, 0.24))
    assert parts.brier == pytest.approx(0.22)
    assert parts.within == pytest.approx(0.0, abs=1e-15)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.15, 0.3, 0.5, 0.72, 1.0]), st.booleans()), min_size=1, max_size=60))
def test_parts_add_up_where_forecasts_of_a_bin_are_equal(rows: list[tuple[float, bool]]) -> None:
    """Murphy 1973: reliability − resolution + uncertainty is the Brier score, with nothing left within."""
    p, event = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    parts = brier_parts(p, event)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(brier(p, event), abs=1e-12)
    assert parts.within == pytest.approx(0.0, abs=1e-12)


@given(ROWS)
def test_parts_of_any_forecasts(rows: list[tuple[float, bool]]) -> None:
    """With what differs inside bins they add up too; no part but that is below 0, and resolution never exceeds uncertainty."""
    p, event = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    parts = brier_parts(p, event)
    assert parts.reliability - parts.resolution + parts.uncertainty + parts.within == pytest.approx(parts.brier, abs=1e-12)
    assert parts.reliability >= 0
    assert 0 <= parts.resolution <= parts.uncertainty + 1e-12


def test_what_is_within_is_the_two_extra_parts() -> None:
    """Stephenson et al. 2008: mean variance of the forecasts inside bins, less twice their covariance with the events."""
    p, event = np.array([0.61, 0.69, 0.65, 0.01, 0.09]), np.array([False, True, True, False, False])
    within = 0.0
    for rows in ([0, 1, 2], [3, 4]):
        said, came = p[rows] - p[rows].mean(), event[rows] - event[rows].mean()
        within += float((said**2 - 2 * said * came).sum()) / 5
    assert brier_parts(p, event).within == pytest.approx(within)


def test_no_row_has_no_parts_and_no_bins() -> None:
    """NaN, and an empty table."""
    none = np.empty(0)
    assert math.isnan(brier_parts(none, none > 0).reliability)
    assert reliability_table(none, none > 0, np.empty(0, dtype=np.int64)) == []


def test_table_by_hand() -> None:
    """Bins hold their lower edge (.1 computed as 1 − .9 too), the last one holds 1; empty bins are left out; what came is counted."""
    p = np.array([0.05, 1 - 0.9, 0.1, 0.19, 0.2, 0.95, 1.0])
    event = np.array([0, 0, 1, 1, 0, 1, 1], dtype=bool)
    table = reliability_table(p, event, np.arange(7))
    assert [(b.start, b.end, b.n) for b in table] == [(0.0, 0.1, 1), (0.1, 0.2, 3), (0.2, 0.3, 1), (0.9, 1.0, 2)]
    assert [b.observed for b in table] == pytest.approx([0.0, 2 / 3, 0.0, 1.0])
    assert [b.said for b in table] == pytest.approx([0.05, 0.13, 0.2, 0.975])


@pytest.mark.parametrize(
    ("hits", "n", "lo", "hi"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (29, 29, 0.8830, 1.0)]
)
def test_wilson_as_published(hits: int, n: int, lo: float, hi: float) -> None:
    """Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3."""
    assert wilson(hits, n) == pytest.approx((lo, hi), abs=6e-5)


def test_an_interval_holds_what_came_and_is_wider_for_days_that_go_together() -> None:
    """The same counts, once in any order and once with whole half-months of events: the second interval is wider than Wilson's, the first about as wide."""
    rng, day = np.random.default_rng(3), np.arange(300)
    together = np.repeat(rng.permutation(20) < 10, 15)
    apart = rng.permutation(together)
    p = np.full(300, 0.55)
    (loose,), (tied,) = reliability_table(p, apart, day), reliability_table(p, together, day)
    lo, hi = wilson(150, 300)
    assert loose.observed == tied.observed == 0.5
    assert loose.observed_lo <= lo < 0.5 < hi <= loose.observed_hi
    assert tied.observed_lo < lo - 0.5 * (hi - lo)
    assert tied.observed_hi > hi + 0.5 * (hi - lo)
    assert loose.observed_hi - loose.observed_lo < 1.6 * (hi - lo)


@given(ROWS)
def test_a_table_counts_every_row_once(rows: list[tuple[float, bool]]) -> None:
    """And no interval leaves out what was observed, or 0 … 1."""
    p, event = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    table = reliability_table(p, event, np.arange(len(p)))
    assert sum(b.n for b in table) == len(p)
    assert sum(b.observed * b.n for b in table) == pytest.approx(event.sum())
    for b in table:
        assert 0 <= b.observed_lo <= b.observed + 1e-12
        assert b.observed <= b.observed_hi + 1e-12 <= 1 + 1e-12
        assert b.start - 1e-9 <= b.said <= b.end + 1e-9
