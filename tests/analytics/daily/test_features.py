"""Inputs and their names: one driver's are never another's, whatever the two are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.daily.features import driver_column, driver_of

NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(["flow", "flow_m3", "flow_d2", "m3:flow", ":", "v:flow", "d2"])
WHAT = st.sampled_from(["", "d1", "d2", "m3", "m14"])


@given(NAMES, WHAT, NAMES, WHAT)
def test_no_two_drivers_share_an_input(one: str, of_one: str, other: str, of_other: str) -> None:
    """`flow_m3` beside the three days' mean of `flow`: each input is told by its driver's name and what it is, and by nothing else."""
    assert (driver_column(one, of_one) == driver_column(other, of_other)) == ((one, of_one) == (other, of_other))


@given(NAMES, WHAT)
def test_an_input_tells_whose_it_is(name: str, what: str) -> None:
    """The driver's name, whatever it holds; an input of the station's own is no driver's."""
    assert driver_of(driver_column(name, what)) == name
    assert driver_of("t_c0") is driver_of("d1") is None
