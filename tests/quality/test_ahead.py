"""Ahead: a reading from the future is suspect once a later arrival bears an earlier time, and by nothing else."""

from __future__ import annotations

from canhman.configuration import read_qc
from core.batch import Batch
from core.series import SeriesKey
from quality.judge import judge
from quality.rules import Rules

T = 1_772_420_400_000
MIN = 60_000


def flags(rows: list[tuple[float, float]]) -> list[int]:
    """Flags, in the order of time, of readings at (minute stamped, minute of arrival)."""
    rows = sorted(rows)
    batch = Batch.of([0] * len(rows), [T + int(t * MIN) for t, _ in rows], [0.1 + 0.1 * (i % 2) for i in range(len(rows))])
    batch = Batch.of(batch.series, batch.time, batch.value, received=[T + int(r * MIN) for _, r in rows])
    return judge(batch, Rules(read_qc(None), [SeriesKey("o", "s", "main", "d", "water.salinity")]))[0].tolist()


def test_a_clock_that_was_set_right_shows_the_reading_before_it() -> None:
    """Stamped 9 min ahead, then one that is right and lies before it: the first is suspect, the second good."""
    assert flags([(9, 0), (5, 5)]) == [1, 3]
    assert flags([(-15, -15), (9, 0), (5, 5), (12, 12)]) == [1, 1, 3, 1]


def test_a_clock_that_is_always_ahead_contradicts_nothing() -> None:
    """Its readings come in the order of their times."""
    assert flags([(9 + 5 * n, 5 * n) for n in range(20)]) == [1] * 20


def test_a_backlog_contradicts_nothing() -> None:
    """It was measured before the reading arrived that it comes after."""
    assert flags([(9, 0), (-30, 1), (-15, 1), (0, 2)]) == [1] * 4


def test_one_that_is_ahead_itself_proves_nothing() -> None:
    """Two of a clock that is ahead, in the wrong order."""
    assert flags([(9, 1), (8, 2)]) == [1, 1]


def test_seconds_are_no_proof() -> None:
    """No two clocks are one."""
    assert flags([(0.9, 0), (0.5, 0.6)]) == [1, 1]


def test_what_somebody_asked_for_again_is_left_alone() -> None:
    """Further ahead than ingest takes it: our own clock was behind when it came."""
    assert flags([(180, 0), (175, 177)]) == [1, 1]


def test_each_is_held_against_its_own_time_alone() -> None:
    """Of many that are ahead at once, near together and far apart, only those that a later arrival lies before."""
    assert flags([(9, 0), (8, 7), (8.5, 7), (9.5, 7)]) == [1, 1, 1, 1]
    assert flags([(9, 0), (5, 5), (29, 20), (30, 21), (25, 26), (45, 40), (46, 41)]) == [1, 3, 1, 3, 3, 1, 1]
