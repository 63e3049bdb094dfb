"""The watch: woken by what changed, reads little, decides nothing twice, loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest
from servers.alert_world import DAY, HOUR, MIN, Rig, an_issue

from adapters.memory_store import MemoryStore
from alerts.config import parse_alerts
from alerts.watch import CURSOR
from core.alert import Step
from core.batch import Batch
from core.errors import UnavailableError
from core.flags import Flag
from core.forecast import HINDCAST
from core.place import Deployment
from core.series import SeriesKey
from core.state import Latest

BOTH = [("s0", "observed", 1.0), ("s0", "observed", 4.0)]


def test_a_salty_reading_opens_and_is_to_be_sent(rig: Rig) -> None:
    """One reading of 9 g/L: both lines are open and each has its message waiting, in the same transaction as the cursor."""
    rig.feed(0.2, 0.2, 0.2, 9.0)
    looked = rig.look()
    assert (looked.read, looked.events) == (1, 2)
    assert rig.live() == BOTH
    assert [(i.channel, i.state, i.due_at) for i in rig.intents()] == [("webhook", "waiting", rig.system.now)] * 2
    assert len({i.key for i in rig.intents()}) == 2
    newest = max(s.changed for s in rig.run(lambda: rig.db.states()))
    assert rig.run(lambda: rig.db.load_cursor(CURSOR)) == newest


def test_nothing_new_reads_nothing(rig: Rig) -> None:
    """Without a change and within the minute no store is asked, and after a restart nothing is decided anew."""
    rig.feed(9.0)
    rig.look()
    assert rig.look().points == 0
    rig.clock.now += MIN
    assert (rig.look().points, rig.look().read) == (1, 0)
    rig.restart()
    assert rig.look().events == 0
    assert len(rig.intents()) == 2


def test_what_is_stale_is_not_even_read(rig: Rig) -> None:
    """A backlog costs no reading of the store, and opens nothing."""
    rig.feed(9.0, 9.0, 9.0, end=rig.clock.now - 2 * HOUR)
    looked = rig.look()
    assert (looked.points, looked.read, looked.events) == (1, 0, 0)


def test_unjudged_readings_wait_for_the_judge(rig: Rig) -> None:
    """What ingest wrote speaks only when the judge has passed, also where it was written again."""
    rig.feed(9.0, 9.0, judged=False)
    assert rig.look().events == 0
    rig.feed(9.0, 9.0)
    state = rig.run(lambda: rig.db.states())[0]
    rig.run(lambda: rig.db.replace([replace(state, dirty_from=rig.clock.now - 30 * MIN)]))
    assert rig.look().events == 0
    rig.feed(9.0, 9.0)
    assert rig.look().events == 2


def test_silence_needs_no_reading(rig: Rig) -> None:
    """Each minute of the clock is enough to find a silent sensor; its return ends it."""
    rig.feed(0.2)
    rig.look()
    for _ in range(6 * 60):
        rig.clock.now += MIN
        rig.look()
    assert rig.live() == [("s0", "silent", None)]
    rig.feed(0.2)
    rig.look()
    assert rig.live() == []
    assert [i.key.split(":")[3:6] for i in rig.intents()] == [["silent", "-", "opened"], ["silent", "-", "cleared"]]


def test_an_outage_of_ours_is_nobodys_silence(make_rig: Callable[..., Rig]) -> None:
    """The platform was off for 7 h: when it is back the sensors have their interval to speak again, and only who does not is silent."""
    rig = make_rig(stations=20)
    for n in range(20):
        rig.feed(0.2, n=n)
    rig.look()
    rig.clock.now += 7 * HOUR
    rig.restart()
    for minute in range(15):
        assert rig.look().events == 0, minute
        if minute < 14:
            rig.feed(0.2, n=minute)
        rig.clock.now += MIN
    for n in range(14, 19):
        rig.feed(0.2, n=n)
    rig.look()
    assert rig.live() == [("s19", "silent", None)]
    assert len(rig.intents()) == 1
    rig.restart()
    rig.look()
    assert rig.live() == [("s19", "silent", None)], "what was open stays"


@pytest.mark.parametrize("jump", [-DAY, 7 * HOUR])
def test_a_machine_that_slept_begins_to_watch_anew(rig: Rig, jump: int) -> None:
    """After hours in which no look was possible, and after a clock set back, who was not heard meanwhile has its interval to speak."""
    rig.feed(0.2)
    rig.look()
    rig.clock.now += jump
    rig.system.now += abs(jump)
    if jump < 0:
        rig.feed(0.2, end=rig.clock.now - 7 * HOUR, received=rig.clock.now - 7 * HOUR)
    for _ in range(15):
        assert rig.look().events == 0
        rig.clock.now += MIN
        rig.system.now += MIN
    rig.look()
    assert rig.live() == [("s0", "silent", None)]


def test_a_fast_clock_finds_a_silent_sensor_at_once(rig: Rig) -> None:
    """At 600 times real time, as the demo runs, ten looks are enough."""
    rig.feed(0.2, end=rig.clock.now - 9 * HOUR, received=rig.clock.now - 9 * HOUR)
    for _ in range(10):
        rig.look()
        rig.clock.now += 300_000
        rig.system.now += 500
    assert rig.live() == [("s0", "silent", None)]


def test_a_forecast_wakes_it(rig: Rig) -> None:
    """A new issue opens without a new reading; the newest counts, and other targets do not."""
    rig.feed(0.2)
    rig.look()
    day = replace(an_issue(rig.clock.now, {1: (5.0, 0.9)}, station="s0"), target="day_max")
    rig.run(lambda: rig.db.issue([day]))
    assert rig.look().points == 0
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now, dict.fromkeys(range(1, 25), (5.0, 0.9)), station="s0")]))
    assert rig.look().points == 1
    assert rig.live() == [("s0", "forecast", 1.0), ("s0", "forecast", 4.0)]
    rig.restart()
    assert rig.look().events == 0


def test_an_issue_ahead_of_our_clock_waits(rig: Rig) -> None:
    """A clock that is behind the forecaster's takes the issue when its time has come."""
    rig.feed(0.2)
    rig.look()
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now + 20 * MIN, dict.fromkeys(range(1, 25), (5.0, 0.9)), station="s0")]))
    assert rig.look().points == 0
    rig.clock.now += 10 * MIN
    rig.look()
    assert len(rig.live()) == 2


@pytest.mark.parametrize("restarted", [False, True])
def test_an_issue_from_the_future_silences_nobody(rig: Rig, restarted: bool) -> None:
    """A clock that jumped a year ahead left an issue behind: those that come by the right time count, before and after a restart."""
    salty, calm = dict.fromkeys(range(1, 25), (5.0, 0.9)), dict.fromkeys(range(1, 25), (0.1, 0.0))
    rig.feed(0.2)
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now, calm, station="s0")]))
    rig.look()
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now + 365 * DAY, calm, station="s0")]))
    rig.look()
    if restarted:
        rig.restart()
    rig.look()
    rig.clock.now += HOUR
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now, salty, station="s0")]))
    if restarted:
        rig.restart()
    rig.look()
    assert rig.live() == [("s0", "forecast", 1.0), ("s0", "forecast", 4.0)]


def test_a_right_issue_takes_the_place_of_one_ahead(rig: Rig) -> None:
    """The clock ran ahead while we watched, and is set right: the next issue counts, and no verdict is made of the other."""
    salty, calm = dict.fromkeys(range(1, 25), (5.0, 0.9)), dict.fromkeys(range(1, 25), (0.1, 0.0))
    rig.feed(0.2)
    right = rig.clock.now
    rig.clock.now += 10 * DAY
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now, calm, station="s0")]))
    rig.look()
    rig.clock.now = right
    assert rig.run(rig.watch.situation).forecast("s0", "main") is None
    rig.run(lambda: rig.db.issue([an_issue(right, salty, station="s0")]))
    rig.look()
    assert rig.live() == [("s0", "forecast", 1.0), ("s0", "forecast", 4.0)]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_hindcast_alerts_nobody(rig: Rig, restarted: bool) -> None:
    """What would have been said does not take the place of what was."""
    salty, calm = dict.fromkeys(range(1, 25), (5.0, 0.9)), dict.fromkeys(range(1, 25), (0.1, 0.0))
    rig.feed(0.2)
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now - MIN, calm, station="s0")]))
    rig.look()
    made = an_issue(rig.clock.now, salty, station="s0")
    rig.run(lambda: rig.db.issue([replace(made, version=made.version + HINDCAST)]))
    if restarted:
        rig.restart()
    rig.look()
    assert rig.live() == []


class Away(MemoryStore):
    """A store that is away when it is asked for rows."""

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        raise UnavailableError("gone")


def test_a_store_that_is_away_delays_and_loses_nothing(rig: Rig) -> None:
    """While the store is away nothing is decided; what changed meanwhile is judged when it is back."""
    rig.watch = rig.new_watch(store=Away())
    rig.feed(9.0)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            rig.look()
    assert rig.live() == []
    rig.watch._store = rig.store
    assert rig.look().events == 2


def test_a_database_that_fails_at_the_last_moment(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the transaction fails all of it is judged again."""

    async def fail(steps: Sequence[Step], *, name: str = "", value: int = 0) -> list[object]:
        raise UnavailableError("locked")

    rig.feed(9.0)
    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "take_steps", fail)
        with pytest.raises(UnavailableError):
            rig.look()
    assert rig.look().events == 2
    assert len(rig.intents()) == 2


def test_two_watches_send_once(rig: Rig) -> None:
    """A second process of alerts on the same database opens nothing a second time."""
    other = rig.new_watch()
    rig.feed(9.0)
    rig.look()
    assert rig.run(other.look).events == 0
    assert len(rig.intents()) == 2


def test_two_watches_that_saw_the_same_end_send_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read the alert before either cleared it, and a second apart: one clearing in the history, one message."""
    other = rig.new_watch()
    rig.feed(9.0)
    rig.look()
    rig.run(other.look)
    rig.clock.now += 2 * HOUR
    rig.feed(*[0.1] * 6)
    known = rig.run(lambda: rig.db.live_alerts())

    async def as_it_was(*, cleared_since: int = 0) -> object:
        return known

    rig.look()
    sent = len(rig.intents())
    rig.clock.now += 1000
    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "live_alerts", as_it_was)
        rig.run(other.look)
    assert rig.live() == []
    assert len(rig.intents()) == sent
    for alert in known:
        assert [e.kind for e in rig.run(partial(rig.db.alert_events, alert.id))] == ["opened", "cleared"]


def test_other_numbers_are_heard(rig: Rig) -> None:
    """After a reload the new lines hold at once, without a new reading; a line that is gone still clears."""
    rig.feed(0.3, 0.7, 0.7)
    rig.look()
    assert rig.live() == []
    rig.rules = parse_alerts({"lines": [0.5]})
    rig.look()
    assert rig.live() == [("s0", "observed", 0.5)]
    rig.rules = parse_alerts({"lines": [4]})
    rig.clock.now += 2 * HOUR
    rig.feed(*[0.1] * 6)
    rig.look()
    assert rig.live() == []


def test_a_swapped_probe_is_one_series(rig: Rig) -> None:
    """Two sensors one after the other at a point: two salty readings, one of each, open it; each speaks for its own time only."""
    now = rig.clock.now
    rig.run(
        lambda: rig.db.put(
            Deployment(device="d0", channel="main", station="s0", point="main", end=now - 10 * MIN, interval_s=900),
            Deployment(device="d0", channel="b", station="s0", point="main", start=now - 10 * MIN, interval_s=900),
            actor="test",
        )
    )
    rig.feed(1.5, end=now - 15 * MIN)
    rig.look()
    assert rig.live() == []
    key = rig.key(0)._replace(sensor="d0/b")
    rig.run(lambda: rig.store.write(Batch.of([0, 0], [now - 15 * MIN, now], [0.1, 1.5], flag=[1, 1]), [key]))
    state = rig.run(lambda: rig.db.states())[0]
    latest = replace(state.newest, time=now)
    rig.run(lambda: rig.db.replace([replace(state, key=key, newest=latest, judged=latest, good=latest)]))
    rig.look()
    assert rig.live() == [("s0", "observed", 1.0)]


def test_a_check_sensor_says_nothing(rig: Rig) -> None:
    """Only the primary sensor of a point opens alerts."""
    rig.feed(0.2)
    state = rig.run(lambda: rig.db.states())[0]
    key = state.key._replace(sensor="check")
    rig.run(lambda: rig.store.write(Batch.of([0], [rig.clock.now], [9.0], flag=[1]), [key]))
    rig.run(lambda: rig.db.replace([replace(state, key=key, role="check", newest=replace(state.newest, value=9.0))]))
    assert rig.look().events == 0


def test_a_fault_is_found(rig: Rig) -> None:
    """Two suspect readings open a fault and no warning of salt."""
    rig.feed(9.0, 9.0, flag=Flag.SUSPECT)
    rig.look()
    assert rig.live() == [("s0", "fault", None)]


def test_a_month_of_backlog_is_calm(rig: Rig) -> None:
    """While a device sends 20 days of salty backlog and the clock stands, no alert of any kind appears; at its end the fresh ones do."""
    for days in range(20, 0, -1):
        rig.feed(*[9.0] * 4, end=rig.clock.now - days * DAY)
        rig.look()
    assert rig.live() == []
    rig.feed(9.0, 9.0)
    rig.look()
    assert rig.live() == BOTH


def test_only_what_changed_is_read(make_rig: Callable[..., Rig]) -> None:
    """Of many points only those that changed are read: rows read do not grow with the number of stations."""
    rig = make_rig(stations=40)
    for n in range(40):
        rig.feed(*[0.2] * 8, n=n)
    first = rig.look()
    assert (first.points, first.read) == (40, 40)
    rig.feed(9.0, n=7)
    second = rig.look()
    assert (second.points, second.read) == (1, 1)
    assert second.rows <= 5
    assert {station for station, _, _ in rig.live()} == {"s7"}


def test_a_front_over_a_province_comes_in_parts(make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps are many short transactions; killed between two of them, the rest is decided again and nothing twice."""
    monkeypatch.setattr("alerts.watch.STEPS", 4)
    rig = make_rig(stations=5)
    for n in range(5):
        rig.feed(9.0, n=n)
    whole = rig.db.take_steps
    sizes: list[int] = []

    async def dies_at_the_second(steps: Sequence[Step], *, name: str = "", value: int = 0) -> object:
        if len(sizes) == 1:
            sizes.append(0)
            raise UnavailableError("killed")
        sizes.append(len(steps))
        return await whole(steps, name=name, value=value)

    monkeypatch.setattr(rig.db, "take_steps", dies_at_the_second)
    with pytest.raises(UnavailableError):
        rig.look()
    assert rig.run(lambda: rig.db.load_cursor(CURSOR)) == 0
    rig.look()
    assert sizes == [4, 0, 4, 2]
    assert len(rig.live()) == len(rig.intents()) == 10
    assert rig.run(lambda: rig.db.load_cursor(CURSOR)) > 0


@pytest.mark.parametrize("quantity", ["water.ec", "water.ec_raw"])
def test_the_verdict_of_messages_and_boards_hears_of_a_bad_conductivity(rig: Rig, quantity: str) -> None:
    """A probe that reads what has no salinity: its last good one says nothing here either, as on pages."""
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now - HOUR, {}, station="s0")]))
    rig.feed(0.2, 0.2, 0.2)
    rig.look()
    assert rig.run(rig.watch.situation).verdict("s0", rig.clock.now).verdict == "take"
    rig.clock.now += MIN
    (good,) = rig.run(lambda: rig.db.states())
    failed = Latest(time=rig.clock.now, value=-1.0, flag=Flag.FAIL)
    rig.run(lambda: rig.db.replace([replace(good, key=good.key._replace(quantity=quantity), newest=failed, judged=failed, good=None)]))
    rig.look()
    found = rig.run(rig.watch.situation).verdict("s0", rig.clock.now)
    assert (found.verdict, found.reason) == ("unknown", "fault")


def test_the_verdict_of_messages_and_boards_hears_of_chloride(rig: Rig) -> None:
    """Salt in it takes back *take*, as on pages."""
    rig.run(lambda: rig.db.issue([an_issue(rig.clock.now - HOUR, {}, station="s0")]))
    rig.feed(0.2, 0.2, 0.2)
    (good,) = rig.run(lambda: rig.db.states())
    rig.clock.now += MIN
    said = Latest(time=rig.clock.now, value=5130.0, flag=Flag.GOOD)
    rig.run(lambda: rig.db.replace([replace(good, key=good.key._replace(quantity="water.chloride"), newest=said, judged=said, good=said)]))
    rig.look()
    assert rig.run(rig.watch.situation).verdict("s0", rig.clock.now).verdict == "measure"


@pytest.mark.parametrize(("quantity", "opened"), [("water.ec_raw", [("s0", "fault", None)]), ("water.chloride", [])])
def test_only_what_salinity_is_worked_out_from_is_its_fault(rig: Rig, quantity: str, opened: list[tuple[str, str, float | None]]) -> None:
    """Two bad conductivities are a fault; one is none, whatever chloride did before it."""
    rig.feed(0.2, 0.2, 0.2, end=rig.clock.now - 30 * MIN)
    rig.look()
    (good,) = rig.run(lambda: rig.db.states())
    for age, name in ((15, quantity), (0, "water.ec")):
        failed, key = Latest(time=rig.clock.now - age * MIN, value=-1.0, flag=Flag.FAIL), good.key._replace(quantity=name)
        rig.run(lambda failed=failed, key=key: rig.store.write(Batch.of([0], [failed.time], [-1.0], flag=[Flag.FAIL]), [key]))
        rig.run(lambda failed=failed, key=key: rig.db.replace([replace(good, key=key, newest=failed, judged=failed, good=None)]))
        rig.look()
    assert rig.live() == opened


def test_a_probe_that_reads_what_has_no_salinity_is_a_fault(rig: Rig) -> None:
    """Conductivities of -1 are found as failing salinities are: the officer hears of it at once, not of silence a day later; good ones clear it."""
    rig.feed(0.2, 0.2, 0.2, end=rig.clock.now - 30 * MIN)
    rig.look()
    (good,) = rig.run(lambda: rig.db.states())
    key = good.key._replace(quantity="water.ec")
    for age in (15, 0):
        time = rig.clock.now - age * MIN
        failed = Latest(time=time, value=-1.0, flag=Flag.FAIL)
        rig.run(lambda time=time: rig.store.write(Batch.of([0], [time], [-1.0], flag=[Flag.FAIL]), [key]))
        rig.run(lambda failed=failed: rig.db.replace([replace(good, key=key, newest=failed, judged=failed, good=None)]))
        rig.look()
    assert rig.live() == [("s0", "fault", None)]
    for _ in range(8):
        rig.clock.now += 15 * MIN
        rig.feed(0.2)
        rig.look()
    assert rig.live() == []


def test_conductivities_are_read_for_a_fault_alone(rig: Rig) -> None:
    """In a dry season warnings of salt stand everywhere: there each message is still read once."""
    rig.feed(9.0, 9.0)
    rig.look()
    assert rig.live() == BOTH
    (good,) = rig.run(lambda: rig.db.states())
    key = good.key._replace(quantity="water.ec")
    rig.run(lambda: rig.store.write(Batch.of([0] * 3, [rig.clock.now - n * MIN for n in range(3)], [14.0] * 3, flag=[1] * 3), [key]))
    rig.run(lambda: rig.db.replace([replace(good, key=key)]))
    rig.feed(9.0)
    assert rig.look().rows == 2
