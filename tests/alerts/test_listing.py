"""Lists: only the highest line of a place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.listing import highest
from core.alert import Alert
from core.bands import level


def make(id: int, kind: str, line: float | None, *, station: str = "kl", point: str = "main", state: str = "open") -> Alert:
    over = level(line) if line is not None else 0
    return Alert(id=id, org="o", station=station, point=point, kind=kind, line=line, level=over, state=state, opened_at=id, updated_at=id)


def ids(*alerts: Alert) -> list[int]:
    return [a.id for a in highest(alerts)]


def test_the_highest_line_is_shown() -> None:
    """Of the lines of one place the highest, measured or forecast; of a tie the measured one."""
    assert ids(make(1, "observed", 1.0), make(2, "forecast", 4.0)) == [2]
    assert ids(make(1, "observed", 1.0), make(2, "forecast", 1.0)) == [1]
    assert ids(make(1, "forecast", 4.0), make(2, "observed", 4.0), make(3, "observed", 1.0)) == [2]


def test_silence_and_faults_stand_by_themselves() -> None:
    """They neither hide a line nor are hidden by one."""
    assert ids(make(1, "silent", None), make(2, "observed", 1.0), make(3, "fault", None)) == [1, 2, 3]


def test_other_places_and_what_is_over() -> None:
    """Another station or point has its own; a cleared alert hides nothing."""
    assert ids(make(1, "observed", 1.0), make(2, "observed", 4.0, point="in"), make(3, "observed", 4.0, station="kn")) == [1, 2, 3]
    assert ids(make(1, "observed", 4.0, state="cleared"), make(2, "observed", 1.0, state="acknowledged")) == [1, 2]


some = st.builds(
    make,
    st.integers(1, 99),
    st.sampled_from(["observed", "forecast", "silent"]),
    st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    station=st.sampled_from("ab"),
    state=st.sampled_from(["open", "acknowledged", "cleared"]),
)


@given(st.lists(some, max_size=12))
def test_nothing_is_lost_but_lower_lines(alerts: list[Alert]) -> None:
    """Law: what is left out has a line at least as high beside it at its place; twice is as once."""
    shown = highest(alerts)
    assert highest(shown) == shown
    for alert in alerts:
        if alert not in shown:
            assert any(s.station == alert.station and s.state != "cleared" and (s.line or 0) >= (alert.line or 0) for s in shown)
