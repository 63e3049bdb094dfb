"""The alerts' invariants, over any order of readings, backlogs, issues, acknowledgements, silence and restarts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from servers.alert_world import HOUR, MIN, RULES, World, an_issue

from adapters.sql import prepare
from core.alert import Alert, AlertKey, Step
from core.errors import ConflictError
from core.flags import Flag

values = st.sampled_from([0.1, 0.79, 0.8, 0.99, 1.0, 1.5, 2.0, 2.01, 3.2, 4.0, 4.5, 9.0]) | st.floats(0, 20)
flags = st.sampled_from([Flag.GOOD] * 6 + [Flag.SUSPECT, Flag.FAIL, Flag.NOT_EVALUATED])

chances = st.sampled_from([0.0, 0.3, 0.39, 0.4, 0.59, 0.6, 0.95])


class Alerts(RuleBasedStateMachine):
    """Every rule changes the world and then looks; every look is checked against what the design promises."""

    @initialize(interval_s=st.sampled_from([60, 600, 900, 1800, 3600, 7200, 21600]))
    def begin(self, interval_s: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "empty.db"
        path.write_bytes(_empty())
        self.world = World.of(path, Path(self.folder.name), interval_s=interval_s)
        self.cleared: dict[AlertKey, tuple[int, int]] = {}  # key → (id, cleared_at) of its last clearing

    def look(self, *, may_clear: bool = True, may_open: bool = True) -> None:
        world = self.world
        before = {a.key: a for a in world.live()}
        steps = world.look()
        assert world.look() == [], "the same facts twice change nothing"
        for step in steps:
            alert = step.alert
            if step.event is None:
                assert alert.state != "cleared"
                continue
            assert step.event.at == alert.updated_at or step.event.kind == "acknowledged"
            if step.event.kind in ("opened", "reopened"):
                assert may_open
                assert alert.key not in before
                self.opened(alert, step.event.kind)
            if step.event.kind == "cleared":
                assert may_clear, "never resolved by silence"
                assert alert.key in before
                self.check_clear(alert)
                self.cleared[alert.key] = (alert.id, alert.cleared_at or 0)

    def opened(self, alert: Alert, what: str) -> None:
        world = self.world
        last = self.cleared.get(alert.key)
        goes_on = last is not None and world.now - last[1] <= RULES.reopen_h * HOUR
        assert what == ("reopened" if goes_on else "opened")
        if last is not None:
            assert (alert.id == last[0]) is goes_on
        if alert.kind in ("observed", "fault"):
            assert alert.time is not None
            assert world.now - alert.time <= world.stale_after, "old readings never open"
        if alert.kind == "observed" and alert.line is not None:
            assert (alert.value or 0) >= alert.line
            assert world.readings[alert.time or 0].flag == Flag.GOOD
        if alert.kind == "silent":
            assert world.newest is not None
            assert world.now - world.newest.time >= 6 * HOUR

    def check_clear(self, alert: Alert) -> None:
        world = self.world
        if alert.kind == "forecast":
            issue = world.issue
            assert issue is not None
            assert world.now - issue.issued_at <= 24 * HOUR
            assert issue.times[-1] >= world.now + 22 * HOUR, "hours that nobody forecast clear nothing"
            return
        newest = world.newest
        assert newest is not None
        assert world.now - newest.time <= world.stale_after, "only fresh data clear"
        if alert.kind == "silent":
            return
        assert newest.flag == Flag.GOOD
        hour = [r for r in world.readings.values() if r.time >= newest.time - HOUR]
        if alert.kind == "observed" and alert.line is not None:
            assert all(r.value < 0.8 * alert.line for r in hour if r.flag == Flag.GOOD)
        else:
            assert all(r.flag in (Flag.GOOD, Flag.NOT_EVALUATED) for r in hour)

    @rule(minutes=st.integers(1, 3000))
    def wait(self, minutes: int) -> None:
        """Time passes and nothing comes: nothing clears, and nothing measured opens."""
        self.world.now += minutes * MIN
        kinds = {a.kind for a in self.world.live()}
        self.look(may_clear=False)
        assert {a.kind for a in self.world.live()} - kinds <= {"silent", "forecast"}

    @rule(value=values, flag=flags)
    def read(self, value: float, flag: int) -> None:
        """The next reading."""
        self.world.now += round(self.world.interval_s * 1000)
        self.world.read(value, flag=flag)
        self.look()

    @rule(value=values, count=st.integers(2, 8))
    def read_on(self, value: float, count: int) -> None:
        """Some hours of the same."""
        for _ in range(count):
            self.read(value, Flag.GOOD)

    @rule(value=values, ages=st.lists(st.integers(1, 3000), min_size=1, max_size=9))
    def backlog(self, value: float, ages: list[int]) -> None:
        """Old readings come late, all beyond their `stale_after`: they open nothing measured (between two others they may complete a low hour)."""
        before = {a.key for a in self.world.live()}
        for age in ages:
            time = self.world.now - self.world.stale_after - age * MIN
            if time not in self.world.readings:
                self.world.read(value, age=self.world.now - time)
        self.look()
        assert all(key.kind in ("silent", "forecast") for key in {a.key for a in self.world.live()} - before)

    @rule(pick=st.integers(0, 5), flag=flags)
    def judge_again(self, pick: int, flag: int) -> None:
        """The judge changes its mind about a recent reading."""
        recent = sorted(self.world.readings)[-6:]
        if recent:
            time = recent[pick % len(recent)]
            self.world.readings[time] = replace(self.world.readings[time], flag=flag)
            self.look()

    @rule(
        p=st.sampled_from([0.0, 0.3, 0.39, 0.4, 0.59, 0.6, 0.95]),
        peak=values,
        lead=st.integers(1, 40),
        minutes=st.integers(1, 90),
        last=st.sampled_from([10, 72, 72, 72]),
    )
    def forecast(self, p: float, peak: float, lead: int, minutes: int, last: int) -> None:
        """A new issue, some time after the last one."""
        self.world.now += minutes * MIN
        self.world.issue = an_issue(self.world.now, {1: (peak / 2, p / 2), lead + 1: (peak, p)}, last=last)
        self.look()

    @rule(pick=st.integers(0, 5))
    def acknowledge(self, pick: int) -> None:
        """An officer reads one: it stays read, and clears as any other."""
        live = self.world.live()
        if live:
            chosen = live[pick % len(live)]
            self.world.run(lambda db: db.acknowledge(chosen.id, actor="lan", at=self.world.now))
            self.look(may_open=False, may_clear=False)

    @rule()
    def restart(self) -> None:
        """kill -9: what is not in the database is gone, and nothing happens anew."""
        self.world.restart()
        assert self.world.look() == []

    @rule()
    def a_second_one(self) -> None:
        """A second alert of a key cannot be opened by anybody."""
        live = self.world.live()
        if live:
            second = Step(alert=replace(live[0], id=0, state="open"))
            with pytest.raises(ConflictError):
                self.world.run(lambda db: db.take_steps([second]))

    @invariant()
    def times_are_in_order(self) -> None:
        """opened ≤ updated, opened ≤ cleared, one live alert a key."""
        if not hasattr(self, "world"):
            return
        alerts = self.world.run(lambda db: db.alerts(limit=1000))
        for alert in alerts:
            assert alert.opened_at <= alert.updated_at
            assert (alert.cleared_at is None) is (alert.state != "cleared")
            assert alert.cleared_at is None or alert.cleared_at >= alert.opened_at
        live = [a.key for a in alerts if a.state != "cleared"]
        assert len(live) == len(set(live))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.db.close()
            self.folder.cleanup()


_EMPTY: list[bytes] = []


def _empty() -> bytes:
    """The bytes of a migrated, empty database."""
    if not _EMPTY:
        with tempfile.TemporaryDirectory() as folder:
            prepare(f"sqlite:///{folder}/registry.db")
            _EMPTY.append(Path(folder, "registry.db").read_bytes())
    return _EMPTY[0]


TestAlerts = Alerts.TestCase
TestAlerts.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
