"""Clocks: simulated time runs at its speed, stands still, resumes where it stopped and never goes back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.hand_clock import HandClock

from core.clock import SimClock, SimTime, SystemClock, local, rfc3339


@given(st.lists(st.one_of(st.integers(0, 10_000), st.floats(0, 1000)), max_size=20))
def test_never_backwards(steps: list[int | float]) -> None:
    """Law: whatever time passes (int) and speed is set (float), time never goes back and advances by speed × passed."""
    system = HandClock(5_000)
    clock = SimClock(1_000_000, 1.0, system=system)
    before = clock.now_ms()
    for step in steps:
        if isinstance(step, int):
            system.ms += step
            now = clock.now_ms()
            assert now >= before
            assert now - before == pytest.approx(step * clock.speed, abs=1.01)
            before = now
        else:
            clock.set(speed=step)
            assert clock.now_ms() == before


def test_a_system_clock_set_back_does_not_turn_time_back() -> None:
    """After the machine's clock is set back simulated time waits at the moment it was saved."""
    system = HandClock(10_000)
    clock = SimClock(500, 2.0, system=system)
    system.ms = 3_000
    assert clock.now_ms() == 500


def test_stands_still_at_speed_0() -> None:
    """At speed 0 no time passes, and waiting takes for ever."""
    system = HandClock()
    clock = SimClock(77, 0.0, system=system)
    system.ms += 10**9
    assert clock.now_ms() == 77
    assert clock.real_seconds(1) == float("inf")


def test_resumes_where_it_was_saved() -> None:
    """A start anchors anew at the saved time: the days in between did not pass."""
    system = HandClock(1_000)
    clock = SimClock(0, 600.0, system=system)
    system.ms += 500
    saved = clock.save()
    assert saved == SimTime(sim_ms=300_000, speed=600.0, anchor_ms=1_500)
    later = HandClock(10**12)
    again = SimClock(saved.sim_ms, saved.speed, system=later)
    assert again.now_ms() == 300_000
    later.ms += 10
    assert again.now_ms() == 306_000
    assert again.real_seconds(60) == pytest.approx(0.1)


def test_other_processes_read_the_saved_row() -> None:
    """A saved row tells the time to whoever has the same system time."""
    assert SimTime(sim_ms=1_000, speed=60.0, anchor_ms=50).at(150) == 7_000


def test_set_moves_the_hands() -> None:
    """The hands can be put somewhere while the speed stays, and the other way round."""
    system = HandClock()
    clock = SimClock(0, 10.0, system=system)
    clock.set(sim_ms=5_000)
    system.ms += 100
    assert (clock.now_ms(), clock.speed) == (6_000, 10.0)


def test_system_clock() -> None:
    """The system's clock is the machine's, in ms, and a second takes a second."""
    before = time.time_ns() // 1_000_000
    assert before <= SystemClock().now_ms() <= time.time_ns() // 1_000_000
    assert SystemClock().real_seconds(2.5) == 2.5


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1_772_420_400_000, "2026-03-02T03:00:00Z"),
        (1_772_420_400_250, "2026-03-02T03:00:00.250Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_rfc3339(ms: int, text: str) -> None:
    """Times go out as RFC 3339 in UTC, with milliseconds where there are some."""
    assert rfc3339(ms) == text


def test_a_new_speed_is_saved_before_it_holds() -> None:
    """Set going after 2.5 s: till then it stands, and every row saved meanwhile says from when on it runs."""
    system = HandClock(1_000)
    clock = SimClock(500, 0.0, system=system)
    clock.set(speed=600, after_s=2.5)
    for passed in (0, 1_000, 2_000):
        system.ms = 1_000 + passed
        assert clock.now_ms() == 500
        assert clock.save() == SimTime(sim_ms=500, speed=600, anchor_ms=3_500)
    system.ms = 4_500
    assert clock.now_ms() == 500 + 600_000
    assert clock.save() == SimTime(sim_ms=600_500, speed=600, anchor_ms=4_500)


def test_local() -> None:
    """The time people have on the wall stands first, its zone in words; UTC beside it, so that it can be found in a log."""
    assert local(1_772_384_400_000) == "2026-03-02 00:00 in Vietnam (17:00 UTC)"
