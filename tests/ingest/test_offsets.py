"""How far a device's clock is off: laws of the estimator, and each way a clock is wrong, named; a backlog is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from core.series import SeriesKey
from core.state import DeviceClock
from ingest.clock_words import hint, is_to_be_named, ours, sentence, short
from ingest.offsets import DAY, HOUR, MINUTE, NONE, SLOTS, VERDICTS, Offsets, drift, level, whole_hours

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
BUILT = 1_682_899_200_000  # 2023-05-01T00:00:00Z
Arrival = tuple[str, int, int]  # device, time, received


def batch(rows: Iterable[Arrival], names: list[str]) -> Batch:
    """Rows as ingest makes them."""
    found = list(rows)
    return Batch.of([names.index(d) for d, _, _ in found], [t for _, t, _ in found], [1.0] * len(found), received=[r for _, _, r in found])


def measured(rows: Sequence[Arrival], *, into: Offsets | None = None, size: int = 1000) -> Offsets:
    """These arrivals, in batches of `size`."""
    offsets = into or Offsets()
    names = sorted({d for d, _, _ in rows})
    keys = [SeriesKey("default", d, "main", d, "water.ec") for d in names]
    for start in range(0, len(rows), size):
        offsets.saw(batch(rows[start : start + size], names), keys)
    return offsets


def clock_of(rows: Sequence[Arrival], device: str = "kl01") -> DeviceClock:
    """What is said of it in the end."""
    return {c.device: c for c in measured(rows).take()}[device]


def live(offset: int, *, every: int = 15 * MINUTE, n: int = 12, delay: int = 2_000, since: int = NOON) -> list[Arrival]:
    """A device that sends at once what it measured, by a clock `offset` ahead."""
    return [("kl01", since + i * every + offset, since + i * every + delay + 37 * (i % 3)) for i in range(n)]


# ---------------------------------------------------------------- laws

delays = st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=40)
offset_ms = st.integers(-20 * DAY, 20 * DAY)


@given(delays, offset_ms)
def test_the_offset_is_never_overstated(waited: list[int], offset: int) -> None:
    """Whatever the delays: the estimate lies at or under the true offset, and not farther under it than the largest delay."""
    clock = clock_of([("kl01", NOON + i * MINUTE - w + offset, NOON + i * MINUTE) for i, w in enumerate(waited)])
    assert clock.offset_ms is not None
    assert offset - max(waited) <= clock.offset_ms <= offset


@given(delays, offset_ms, st.integers(-HOUR, HOUR))
def test_a_clock_set_otherwise_is_measured_otherwise_by_as_much(waited: list[int], offset: int, more: int) -> None:
    """Moving all times moves the estimate and nothing else."""
    one, other = (clock_of([("kl01", NOON + i * MINUTE - w + offset // 2 + by, NOON + i * MINUTE) for i, w in enumerate(waited)]) for by in (0, more))
    assert one.offset_ms is not None
    assert other.offset_ms == one.offset_ms + more
    assert other.spread_ms == one.spread_ms


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 2 * HOUR), st.integers(0, 20 * MINUTE)), max_size=60), st.integers(1, 60))
def test_batches_do_not_matter(items: list[tuple[str, int, int]], size: int) -> None:
    """However arrivals fall into batches, and with rows of one batch in any order, the same is measured."""
    rows = [(device, NOON + at - waited, NOON + at) for device, at, waited in sorted(items, key=lambda item: item[1])]
    whole, parts = measured(rows).take(), measured(rows, size=size).take()
    turned = measured(rows[::-1], size=1000).take()
    assert whole == parts == turned


@given(st.lists(st.lists(st.one_of(st.just(int(NONE)), st.integers(-2 * DAY, 2 * DAY)), min_size=SLOTS, max_size=SLOTS), min_size=1, max_size=5))
def test_a_level_is_one_of_the_delays(table: list[list[int]]) -> None:
    """Of the slots that are there; what is near it is counted, and each device is measured by itself."""
    kept = [row for row in table if any(x < NONE for x in row)]
    if not kept:
        return
    found = level(np.array(kept, dtype=np.int64))
    for i, row in enumerate(kept):
        assert found.delay[i] in row
        assert found.near[i] >= 1
        assert found.spread[i] >= 0
        alone = level(np.array([row], dtype=np.int64))
        assert [int(column[0]) for column in alone] == [int(column[i]) for column in found]


@given(st.integers(-14, 14), st.integers(0, 4 * MINUTE))
def test_whole_hours_are_known_behind_a_delay(hours: int, waited: int) -> None:
    """The zone an offset looks like, with what the message waited; none below one hour."""
    assert whole_hours(hours * HOUR - waited) == hours


@given(st.integers(-10 * HOUR, 10 * HOUR))
def test_no_other_offset_looks_like_a_zone(offset: int) -> None:
    """Only within five minutes of a whole hour."""
    away = min(offset % HOUR, -offset % HOUR)
    assert (whole_hours(offset) != 0) <= (away <= 5 * MINUTE)


@given(st.floats(-600, 600).filter(lambda s: abs(s) >= 20), st.integers(4, 14), st.data())
def test_a_drift_is_found(seconds: float, n: int, data: st.DataObject) -> None:
    """Gained seconds a day, under a second of jitter, to a fifth."""
    jitter = data.draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n))
    found = drift([round(2000 - seconds * 500 * i) + j for i, j in enumerate(jitter)])
    assert found is not None
    assert found == pytest.approx(seconds * 1000, abs=200 * abs(seconds) + 2000)


@given(st.lists(st.integers(0, 10_000), max_size=14))
def test_no_drift_where_a_clock_keeps_time(jitter: list[int]) -> None:
    """Delays of up to ten seconds, in any order, are no drift."""
    assert drift(jitter) is None


# ---------------------------------------------------------------- one clock each


def test_a_right_clock() -> None:
    """Seconds of delay are no offset."""
    clock = clock_of(live(0))
    assert (clock.verdict, clock.offset_ms, clock.at) == ("good", -2000, NOON + 11 * 15 * MINUTE + 2000 + 37 * 2)
    assert sentence(clock, "en", NOON) == "The clock is right, to 0.0 s."


@pytest.mark.parametrize(("offset", "says"), [(7 * HOUR, "+7"), (8 * HOUR, "+8"), (-5 * HOUR, "-5"), (1 * HOUR, "+1")])
def test_local_time_sent_as_utc(offset: int, says: str) -> None:
    """Named with its zone, ahead or behind."""
    clock = clock_of(live(offset))
    assert clock.verdict == "zone"
    assert short(clock, NOON) == f"{says} h (zone?)"
    assert f"UTC ({says} " in sentence(clock, "en", NOON)
    assert f"UTC ({says} " in sentence(clock, "vi", NOON)


def test_seven_hours_ahead_is_named_with_the_way_out() -> None:
    """From the refused messages alone, as they never reach the store."""
    offsets = Offsets()
    for i in range(3):
        offsets.refused("kl01", 7 * HOUR - 1500, NOON + i * 15 * MINUTE)
    (clock,) = offsets.take()
    assert (clock.verdict, clock.offset_ms) == ("zone", 7 * HOUR - 1500)
    way = "canhman deadletters replay --reason clock --device kl01 --shift -7h"
    assert way in sentence(clock, "vi", NOON)
    assert way in hint("kl01", 7 * HOUR - 1500)
    assert hint("kl01", 20 * MINUTE) == hint("kl01", 30 * DAY) == ""


def test_minutes_ahead_are_proven_by_one_message() -> None:
    """Nothing arrives before it was measured."""
    assert clock_of(live(5 * MINUTE, n=1)).verdict == "ahead"
    assert clock_of(live(MINUTE, n=1)).verdict == "good"


def test_minutes_behind_take_three_messages() -> None:
    """They may have waited: it is said once three minutes with messages agree, and then with both causes."""
    assert clock_of(live(-25 * MINUTE, n=2)).verdict == "unknown"
    clock = clock_of(live(-25 * MINUTE, n=3))
    assert clock.verdict == "behind"
    assert "or readings wait" in sentence(clock, "en", NOON)


def test_a_backlog_is_no_clock() -> None:
    """Two days sent late, fast or one a minute, oldest first or newest first: never called behind."""
    backlog = [NOON - 2 * DAY + i * 15 * MINUTE for i in range(190)]
    for pace in (10, 1000, MINUTE):
        for times in (backlog, backlog[::-1]):
            rows = [("kl01", t, NOON + i * pace) for i, t in enumerate(times)]
            for seen in (10, 60, 120, 190):
                assert clock_of(rows[:seen]).verdict in ("unknown", "good"), (pace, seen)


def test_a_live_clock_stays_right_through_a_backlog() -> None:
    """What waited in a gateway for hours moves nothing."""
    before = live(0, n=8)
    later = before[-1][2]
    backlog = [("kl01", later + i * 15 * MINUTE, later + DAY + i * 200) for i in range(90)]
    after = live(0, n=4, since=later + DAY + HOUR)
    assert {clock_of([*before, *backlog[:n]]).verdict for n in (1, 40, 90)} == {"good"}
    assert clock_of([*before, *backlog, *after]).verdict == "good"


def test_hourly_bundles_are_right_by_their_newest() -> None:
    """Four readings sent together each hour: the newest says how late they are."""
    rows = [("kl01", NOON + h * HOUR - q * 15 * MINUTE, NOON + h * HOUR + 3000 + 100 * (3 - q)) for h in range(6) for q in (3, 2, 1, 0)]
    assert clock_of(rows).verdict == "good"


def test_a_clock_that_was_set_is_right_again() -> None:
    """Seven hours ahead, then right: four messages later it is believed; and one wild time does not stick."""
    rows = [*live(7 * HOUR, n=12), *live(0, n=5, since=NOON + DAY)]
    assert clock_of(rows[:-2]).verdict == "zone"
    assert clock_of(rows).verdict == "good"
    assert clock_of([*live(0, n=3), *live(9 * MINUTE, n=1, since=NOON + DAY), *live(0, n=4, since=NOON + 2 * DAY)]).verdict == "good"


def test_a_drifting_clock() -> None:
    """Nine seconds a day, for a week."""
    rows = [("kl01", NOON + i * HOUR + i * 375, NOON + i * HOUR + 1500) for i in range(7 * 24)]
    clock = clock_of(rows)
    assert clock.verdict == "drifting"
    assert clock.drift_ms == pytest.approx(9000, rel=0.05)
    assert sentence(clock, "en", NOON).startswith("The clock gains 9 s a day")
    assert short(clock, NOON) == "+9 s/day"


# ---------------------------------------------------------------- clocks that were lost


def test_1970_until_the_clock_is_set() -> None:
    """T04: named as lost while it lasts, and for a week after, with the day; the right reading is measured as ever."""
    offsets = Offsets()
    for i in range(3):
        offsets.refused("kl01", 3000 + i * 1000 - (NOON + i), NOON + i)
    (clock,) = offsets.take()
    assert (clock.verdict, clock.reset_to) == ("lost", 5000)
    assert "1970-01-01" in sentence(clock, "en", NOON)
    measured([("kl01", NOON, NOON + 500)], into=offsets)
    (clock,) = offsets.take()
    assert (clock.verdict, clock.offset_ms) == ("good", -500)
    assert short(clock, NOON) == "ok (was lost)"
    assert "1970-01-01" in sentence(clock, "vi", NOON)
    assert is_to_be_named(clock, NOON)
    assert not is_to_be_named(clock, NOON + 8 * DAY)


def test_one_batch_of_1970_and_the_right_time() -> None:
    """What came last counts, though both are looked at in the same second."""
    offsets = Offsets()
    offsets.refused("kl01", 3000 - NOON, NOON)
    measured([("kl01", NOON + 400, NOON + 500)], into=offsets)
    (clock,) = offsets.take()
    assert (clock.verdict, clock.reset_at) == ("good", NOON)


def test_1970_and_then_local_time() -> None:
    """A device that gets the hour from the network, and calls it UTC: both are told, though both came within a second."""
    offsets = Offsets()
    offsets.refused("kl01", 3000 - NOON, NOON)
    offsets.refused("kl01", 7 * HOUR - 500, NOON + 900)
    (clock,) = offsets.take()
    assert (clock.verdict, clock.reset_to) == ("zone", 3000)
    told = sentence(clock, "en", NOON)
    assert "1970-01-01" in told
    assert "--shift -7h" in told


def test_the_build_date_after_each_restart() -> None:
    """The same past instant twice is a clock that begins there; one that runs on from it is known without a second start."""
    fallen = [("kl01", BUILT + 5000 + i * 15 * MINUTE, NOON + DAY + i * 15 * MINUTE) for i in range(2)]
    again = [("kl01", BUILT + 9000, NOON + 2 * DAY)]
    assert clock_of([*live(0), *fallen]).verdict == "good"
    clock = clock_of([*live(0), *fallen, *live(0, since=NOON + DAY + 6 * HOUR), *again])
    assert (clock.verdict, clock.reset_to) == ("lost", BUILT + 5000)
    assert short(clock, NOON) == "lost (2023-05-01)"
    runs_on = [("kl01", BUILT + 5000 + i * 15 * MINUTE, NOON + i * 15 * MINUTE) for i in range(5)]
    assert clock_of(runs_on).verdict == "lost"


def test_recorded_data_is_no_lost_clock() -> None:
    """Years of 2020 played fast, twice, or an old backlog: nothing is said of the clock."""
    recorded = [("kl01", BUILT + i * HOUR, NOON + i * 1200) for i in range(500)]
    assert measured(recorded).take() == ()
    assert measured([*recorded, *[(d, t, r + HOUR) for d, t, r in recorded]]).take() == ()


def test_a_year_far_ahead() -> None:
    """9999 is a clock that was lost, too; its sentence can be said."""
    offsets = Offsets()
    offsets.refused("kl01", 253_402_300_799_000 - NOON, NOON)
    (clock,) = offsets.take()
    assert clock.verdict == "lost"
    assert "9999-12-31" in sentence(clock, "en", NOON)
    offsets.refused("kl02", 10**17, NOON)
    assert "ms" in sentence(offsets.take()[0], "vi", NOON)


# ---------------------------------------------------------------- what is kept


def test_it_goes_on_after_a_restart() -> None:
    """With what was written, the next messages are measured as if nothing had happened; the lost instant too."""
    first, rest = live(-25 * MINUTE, n=2), live(-25 * MINUTE, n=1, since=NOON + HOUR)
    whole = clock_of([*first, *rest])
    offsets = measured(first)
    offsets.refused("kl02", 3000 - NOON, NOON)
    again = Offsets()
    again.load(offsets.take())
    measured(rest, into=again)
    again.refused("kl02", -NOON, NOON + HOUR)
    found = {c.device: c for c in again.take()}
    assert found["kl01"] == whole
    assert found["kl02"].reset_at == NOON + HOUR


def test_only_news_is_written() -> None:
    """A row at first, then where the verdict or the offset changes, and each hour; nothing of a clockless device."""
    offsets = measured(live(0, every=MINUTE, n=3))
    assert len(offsets.take()) == 1
    measured(live(0, every=MINUTE, n=3, since=NOON + 10 * MINUTE), into=offsets)
    assert offsets.take() == ()
    assert offsets.take() == ()
    measured(live(0, every=MINUTE, n=1, since=NOON + 2 * HOUR), into=offsets)
    assert len(offsets.take()) == 1
    measured(live(5 * MINUTE, every=MINUTE, n=1, since=NOON + 2 * HOUR + 5 * MINUTE), into=offsets)
    assert [c.verdict for c in offsets.take()] == ["ahead"]
    assert measured(live(0)).take(lambda device: device == "kl01") == ()


def test_many_new_devices_are_written_bit_by_bit() -> None:
    """So that one commit stays short: who is not well first, everybody in the end, nobody twice."""
    rows = [(f"d{i:04}", NOON + (5 * MINUTE if i >= 1190 else 0), NOON + 700) for i in range(1200)]
    offsets = measured(rows)
    parts = [offsets.take() for _ in range(4)]
    assert [len(part) for part in parts] == [500, 500, 200, 0]
    assert [c.verdict for c in parts[0][:11]] == ["ahead"] * 10 + ["good"]
    assert len({c.device for part in parts for c in part}) == 1200


def test_a_long_backlog_of_many_devices_stays_small() -> None:
    """A thousand minutes in one look are looked at more coarsely, and the rows are let go."""
    rows = [(f"d{i % 50}", NOON + i * MINUTE, NOON + i * MINUTE + 700) for i in range(3000)]
    offsets = measured(rows, size=500)
    assert {c.verdict for c in offsets.take()} == {"good"}
    assert offsets._rows == []


def test_ours_is_wrong_where_most_agree() -> None:
    """Three devices ahead by the same minutes are one wrong clock: this machine's. Two, or each otherwise, are their own."""

    def clock(name: str, offset: int, verdict: str = "ahead") -> DeviceClock:
        return DeviceClock(device=name, verdict=verdict, offset_ms=offset, spread_ms=0, drift_ms=None, at=NOON)

    agree = [clock("a", 300_000), clock("b", 305_000), clock("c", 298_000)]
    assert ours(agree) == 300_000
    assert ours([*agree, clock("d", 0, "good")]) == 300_000
    assert ours([*agree, *(clock(f"g{i}", 0, "good") for i in range(4))]) is None
    assert ours(agree[:2]) is None
    assert ours([clock("a", 200_000), clock("b", 400_000), clock("c", 600_000)]) is None
    assert ours([clock(x, 7 * HOUR, "zone") for x in "abc"]) is None
    assert ours([clock(x, HOUR, "zone") for x in "abc"]) == HOUR, "no zone of theirs: a machine that starts an hour behind"


@pytest.mark.parametrize("verdict", [*VERDICTS, "of a later version"])
@pytest.mark.parametrize("offset", [None, 0, -40_000, 7 * HOUR, -9 * DAY, 10**15])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_clock_can_be_told(verdict: str, offset: int | None, lang: str) -> None:
    """No verdict, offset or lost instant is without words."""
    for reset in (None, NOON):
        clock = DeviceClock(device="kl01", verdict=verdict, offset_ms=offset, spread_ms=None, drift_ms=None, at=NOON, reset_at=reset, reset_to=reset)
        assert len(sentence(clock, lang, NOON)) > 10
        short(clock, NOON)
