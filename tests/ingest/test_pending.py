"""What ingest has done since its last commit, merged per series: the newest row, and the earliest time to judge again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from core.series import SeriesKey
from core.state import Commit, Latest
from ingest.pending import Pending

KEYS = [SeriesKey("default", f"s{i}", "main", f"d{i}", "water.ec") for i in range(4)]


def commit(pending: Pending) -> Commit:
    return pending.commit("j", 7, KEYS, {1: "check"})


def test_nothing() -> None:
    """Nothing done is a commit of the cursor alone."""
    pending = Pending()
    pending.wrote(Batch.empty())
    assert commit(pending) == Commit(journal="j", state_cursor=7)


@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.floats(0, 9)), max_size=12), max_size=6))
def test_newest_and_oldest_of_each_series(batches: list[list[tuple[int, int, float]]]) -> None:
    """Over any number of batches: newest is the latest time, and of equal times the one written last; dirty from the earliest."""
    pending = Pending()
    stored: dict[int, dict[int, tuple[float, int]]] = {}
    oldest: dict[int, int] = {}
    for number, rows in enumerate(batches):
        received = [number] * len(rows)
        batch = Batch.of([s for s, _, _ in rows], [t for _, t, _ in rows], [v for _, _, v in rows], received=received).last_wins()
        pending.wrote(batch)
        for series, time, value in rows:
            stored.setdefault(series, {})[time] = (value, number)
            oldest[series] = min(time, oldest.get(series, time))
    got = {w.key: w for w in commit(pending).written}
    assert set(got) == {KEYS[series] for series in stored}
    for series, times in stored.items():
        newest = max(times)
        value, received = times[newest]
        w = got[KEYS[series]]
        assert (w.newest, w.received, w.dirty_from) == (Latest(time=newest, value=value, flag=2), received, oldest[series])
        assert w.role == ("check" if series == 1 else "primary")


def test_a_commit_repeats_until_it_is_done() -> None:
    """Asking for the commit clears nothing: the database may be away."""
    pending = Pending()
    pending.wrote(Batch.of([0], [1], [2.0]))
    pending.counters["duplicate:kl01"] += 2
    assert commit(pending) == commit(pending)
    assert commit(pending).counters == {"duplicate:kl01": 2}
