"""The policy, rule by rule: what opens, what clears, what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.alert_world import DAY, HOUR, MIN, RISK, World, an_issue

from alerts.config import parse_alerts
from alerts.policy import Facts, step
from core.alert import AlertKey
from core.flags import Flag
from core.forecast import Forecast

QUARTER = 15 * MIN
DANCE = (1.99, 2.01)  # g/L


def feed(world: World, *values: float, flag: int = Flag.GOOD) -> None:
    """One reading every interval, a look after each."""
    for value in values:
        world.now += round(world.interval_s * 1000)
        world.read(value, flag=flag)
        world.look()


def test_two_of_three_open(world: World) -> None:
    """`observed` opens at the second of the last three good readings at or over the line, not at the first."""
    feed(world, 0.2, 1.1)
    assert world.open("observed", 1.0) is None
    feed(world, 0.9)
    assert world.open("observed", 1.0) is None
    feed(world, 1.0)
    alert = world.open("observed", 1.0)
    assert alert is not None
    assert (alert.level, alert.value, alert.time, alert.opened_at) == (2, 1.0, world.now, world.now)
    assert world.open("observed", 4.0) is None


def test_one_over_twice_the_line_opens(world: World) -> None:
    """One reading over twice the line is enough; exactly twice is not."""
    feed(world, 2.0)
    assert world.open("observed", 1.0) is None
    world.restart()
    feed(world, 0.2, 0.2, 9.0)
    assert {a.line for a in world.live()} == {1.0, 4.0}


def test_a_backlog_opens_nothing(world: World) -> None:
    """Readings older than their `stale_after` never warn as if it were now, however many and however salty."""
    for age in range(round(world.stale_after / MIN) + 1, 600, 15):
        world.read(9.0, age=age * MIN)
    assert world.look() == []
    world.read(9.0, age=world.stale_after)
    assert {s.alert.kind for s in world.look()} == {"observed"}


@pytest.mark.parametrize("flag", [Flag.SUSPECT, Flag.FAIL, Flag.NOT_EVALUATED])
def test_only_good_readings_speak(world: World, flag: Flag) -> None:
    """Suspect, failed and unjudged readings open no `observed` alert."""
    feed(world, 9.0, 9.0, 9.0, flag=flag)
    assert all(a.kind == "fault" for a in world.live())


def test_it_clears_after_an_hour_well_under_the_line(world: World) -> None:
    """60 min, at least two readings, all under 0.8 of the line."""
    feed(world, 1.2, 1.2)
    opened = world.open("observed", 1.0)
    feed(world, 0.85, 0.79, 0.7, 0.7, 0.7)
    assert world.open("observed", 1.0) == opened or world.open("observed", 1.0) is not None
    feed(world, 0.7)
    assert world.open("observed", 1.0) is None
    assert world.told() == [("observed", 1.0, "opened"), ("observed", 1.0, "cleared")]
    alert = world.run(lambda db: db.alerts())[0]
    assert (alert.state, alert.cleared_at, alert.value) == ("cleared", world.now, 0.7)


def test_silence_staleness_and_bad_data_never_clear(world: World) -> None:
    """Neither hours without a reading, nor suspect ones, nor a hole between two low readings clear it."""
    feed(world, 1.2, 1.2)
    for _ in range(48):
        world.now += 30 * MIN
        world.look()
    assert world.open("observed", 1.0) is not None
    feed(world, 0.1)  # the first after a long silence: nobody knows what was in between
    assert world.open("observed", 1.0) is not None
    feed(world, *[0.1] * 8, flag=Flag.SUSPECT)
    assert world.open("observed", 1.0) is not None
    assert world.open("fault") is not None


def test_a_bad_newest_reading_holds_the_alert(world: World) -> None:
    """While the newest reading is bad or not judged, an hour of low ones clears nothing."""
    feed(world, 1.2, 1.2)
    world.now += 75 * MIN
    for age in (75, 60, 45, 30, 15):
        world.read(0.1, age=age * MIN - MIN)
    world.read(0.1, flag=Flag.NOT_EVALUATED)
    world.look()
    assert world.open("observed", 1.0) is not None


def test_the_same_alert_goes_on_within_25_hours(world: World) -> None:
    """Open again within 25 h of the clearing: the same alert, reopened and to be read again; later a new one."""
    feed(world, 1.2, 1.2)
    first = world.open("observed", 1.0)
    assert first is not None
    world.run(lambda db: db.acknowledge(first.id, actor="lan", at=world.now))
    feed(world, *[0.1] * 6)
    assert world.open("observed", 1.0) is None
    world.now += 20 * HOUR
    feed(world, 1.3, 1.3)
    again = world.open("observed", 1.0)
    assert again is not None
    assert (again.id, again.state, again.opened_at, again.cleared_at, again.acknowledged_by) == (first.id, "open", first.opened_at, None, "")
    feed(world, *[0.1] * 6)
    world.now += 26 * HOUR
    feed(world, 1.3, 1.3)
    new = world.open("observed", 1.0)
    assert new is not None
    assert new.id != first.id
    kinds = [kind for of, _, kind in world.told() if of == "observed"]
    assert kinds == ["opened", "acknowledged", "cleared", "reopened", "cleared", "opened"]


def test_an_acknowledged_alert_clears(world: World) -> None:
    """Having read it does not keep it open, and new peaks do not take the reading back."""
    feed(world, 1.2, 1.2)
    first = world.open("observed", 1.0)
    assert first is not None
    world.run(lambda db: db.acknowledge(first.id, actor="lan", at=world.now))
    feed(world, 1.9)
    peak = world.open("observed", 1.0)
    assert peak is not None
    assert (peak.state, peak.acknowledged_by, peak.value) == ("acknowledged", "lan", 1.9)
    feed(world, *[0.1] * 6)
    assert world.open("observed", 1.0) is None


def test_t21_a_value_dancing_on_the_line(prepared: Path, tmp_path: Path) -> None:
    """24 h of 1.99 and 2.01 g/L every 10 min at the line 2: one raise, at most one clear, at most two things told."""
    world = World.of(prepared, tmp_path, interval_s=600, rules=parse_alerts({"lines": [2]}))
    feed(world, *(DANCE[i % 2] for i in range(144)))
    assert world.told() == [("observed", 2.0, "opened")]
    alert = world.open("observed", 2.0)
    assert alert is not None
    assert alert.value == DANCE[1]
    assert alert.updated_at == alert.opened_at  # nothing a person would see has changed
    world.db.close()


def test_t22_the_last_reading_was_salty_then_silence(world: World) -> None:
    """5 g/L, then nothing for 24 h: the alert stays, nothing sounds fresh again, and one notice of silence with the last value."""
    feed(world, 5.0, 5.0)
    before = {a.line: a for a in world.live()}
    assert set(before) == {1.0, 4.0}
    for _ in range(24 * 60):
        world.now += MIN
        world.look()
    assert {a.line: a for a in world.live() if a.kind == "observed"} == before
    assert [t for t in world.told() if t[0] != "observed"] == [("silent", None, "opened")]
    silent = world.open("silent")
    assert silent is not None
    assert (silent.value, silent.level, silent.line) == (5.0, 0, None)
    assert silent.opened_at - (silent.time or 0) == RISK.silent_after_ms(900)


def test_silence_ends_with_a_fresh_reading(world: World) -> None:
    """A late, old reading does not end it; a fresh one does, whatever its flag."""
    feed(world, 0.2)
    world.now += 7 * HOUR
    world.look()
    assert world.open("silent") is not None
    world.read(0.3, age=3 * HOUR)
    world.look()
    silent = world.open("silent")
    assert silent is not None
    assert silent.value == 0.3
    world.read(0.3, flag=Flag.SUSPECT)
    world.look()
    assert world.open("silent") is None


def test_a_recorded_file_is_no_silent_sensor(world: World) -> None:
    """What ended over 30 days before we looked, and what stands nowhere any more, is not silent."""
    world.read(0.2, age=31 * DAY)
    assert world.look() == []
    world.read(0.2, age=29 * DAY)
    world.stands = False
    assert world.look() == []
    world.stands = True
    assert [s.alert.kind for s in world.look()] == ["silent"]
    world.stands = False  # an officer withdrew it
    assert [s.alert.state for s in world.look()] == ["cleared"]


def test_a_forecast_opens_and_clears_in_two_issues(world: World) -> None:
    """Opens at .6; one issue under .4 is not enough, the same issue looked at twice neither, a second one clears."""
    world.issue = an_issue(world.now, {1: (0.5, 0.0), 5: (1.4, 0.59)})
    assert world.look() == []
    world.issue = an_issue(world.now, {1: (0.5, 0.0), 5: (1.4, 0.6)})
    assert {s.alert.line for s in world.look()} == {1.0, 4.0}
    alert = world.open("forecast", 1.0)
    assert alert is not None
    assert (alert.value, alert.time, alert.p, alert.model) == (1.4, world.now // HOUR * HOUR + 5 * HOUR, 0.6, "persistence")
    world.now += HOUR
    world.issue = an_issue(world.now, {1: (0.5, 0.3)})
    world.look()
    world.now += MIN
    assert world.look() == []
    assert world.open("forecast", 1.0) is not None
    world.restart()
    world.now += HOUR
    world.issue = an_issue(world.now, {1: (0.5, 0.39)})
    world.look()
    assert world.open("forecast", 1.0) is None


def test_a_day_of_doubtful_hours_is_a_warning(world: World) -> None:
    """What counts is the highest of the next 24 h: hours of 4 in 10 all day open it, and hours of 3 in 10 do not clear it; one such hour alone does."""
    world.issue = an_issue(world.now, dict.fromkeys(range(1, 25), (0.9, 0.3)))
    assert world.look() == []
    world.issue = an_issue(world.now, dict.fromkeys(range(1, 25), (0.9, 0.4)))
    assert {s.alert.line for s in world.look()} == {1.0, 4.0}
    alert = world.open("forecast", 1.0)
    assert alert is not None
    assert alert.p is not None
    assert 0.6 <= alert.p < 1 - 0.6**24
    for _ in range(2):
        world.now += HOUR
        world.issue = an_issue(world.now, dict.fromkeys(range(1, 25), (0.9, 0.3)))
        world.look()
        assert world.open("forecast", 1.0) is not None
    for _ in range(2):
        world.now += HOUR
        world.issue = an_issue(world.now, {5: (0.9, 0.3)})
        world.look()
    assert world.open("forecast", 1.0) is None


def test_an_issue_between_begins_the_count_anew(world: World) -> None:
    """Under, over, under: not two issues one after the other."""
    world.issue = an_issue(world.now, {1: (2.0, 0.9)})
    world.look()
    for p in (0.3, 0.5, 0.3):
        world.now += HOUR
        world.issue = an_issue(world.now, {1: (2.0, p)})
        world.look()
        assert world.open("forecast", 1.0) is not None


def test_only_the_next_24_hours_and_a_young_issue(world: World) -> None:
    """Hours beyond 24 and issues over 24 h old neither open nor clear."""
    world.issue = an_issue(world.now, {1: (0.2, 0.0), 25: (5.0, 0.9)})
    assert world.look() == []
    world.now += 2 * HOUR
    assert {s.alert.kind for s in world.look()} == {"forecast"}  # the salty hour has come within 24
    world.issue = an_issue(world.now - 25 * HOUR, dict.fromkeys(range(1, 73), (0.1, 0.0)))
    assert world.look() == []
    assert len(world.live()) == 2


def test_a_higher_peak_is_raised_once(world: World) -> None:
    """A new band or a quarter more is told, a little more is not; `updated_at` moves with what is told."""
    feed(world, 1.2, 1.2)
    opened = world.open("observed", 1.0)
    assert opened is not None
    feed(world, 1.3)
    assert [kind for _, _, kind in world.told()] == ["opened"]
    feed(world, 2.1, 2.2, 1.9, 2.1)
    alert = world.open("observed", 1.0)
    assert alert is not None
    assert [kind for _, _, kind in world.told()] == ["opened", "raised"]
    assert alert.updated_at == opened.opened_at + 2 * QUARTER
    assert alert.value == 2.1


def test_a_fault_opens_and_clears(world: World) -> None:
    """Two bad of the last three judged, fresh; over after an hour of good ones."""
    feed(world, 0.2, 0.2, flag=Flag.SUSPECT)
    fault = world.open("fault")
    assert fault is not None
    assert (fault.line, fault.level, fault.value) == (None, 0, None)
    feed(world, 0.2, 0.2, 0.2, 0.2)
    assert world.open("fault") is not None
    feed(world, 0.2)
    assert world.open("fault") is None


def test_a_line_no_longer_wanted_clears_but_opens_no_more(world: World) -> None:
    """A line taken out of the configuration: its open alert ends as usual, and no new one opens."""
    key = AlertKey("kl", "main", "observed", 2.0)
    feed(world, 9.0)
    assert step(key, None, world.facts(), world.now, rules=world.rules, risk=RISK) is None
    known = world.open("observed", 4.0)
    assert known is not None
    feed(world, *[0.1] * 6)
    facts = Facts(org="o", newest=world.newest, interval_s=900, judged=world.facts().judged)
    found = step(known.key, known, facts, world.now, rules=parse_alerts({"lines": [1]}), risk=RISK)
    assert found is not None
    assert found.alert.state == "cleared"


def test_slow_sensors_do_not_flap(prepared: Path, tmp_path: Path) -> None:
    """Two-hourly data: the salty reading that opened it does not open it again beside the two that cleared it."""
    world = World.of(prepared, tmp_path, interval_s=7200)
    feed(world, 9.0, 0.2, 0.2)
    assert world.live() == []
    assert world.look() == []
    world.db.close()


def test_judged_late_is_no_all_clear(world: World) -> None:
    """An hour of low readings that the judge passes only when they are stale clears nothing."""
    feed(world, 1.2, 1.2)
    world.now += 75 * MIN
    for age in (75, 60, 45, 30, 15, 0):
        world.read(0.1, age=age * MIN - MIN if age else 0)
    world.now += world.stale_after + MIN
    world.look()
    assert world.open("observed", 1.0) is not None
    world.now -= MIN
    world.look()
    assert world.open("observed", 1.0) is None


def test_a_hole_is_no_low_water(world: World) -> None:
    """Two low readings with a hole over `stale_after` between them are not an hour of low water."""
    feed(world, 1.2, 1.2, 0.1)
    world.now += world.stale_after + MIN
    feed(world, 0.1)
    assert world.open("observed", 1.0) is not None
    feed(world, *[0.1] * 4)
    assert world.open("observed", 1.0) is None


def test_a_new_alert_after_25_hours(world: World) -> None:
    """The one cleared 25 h ago goes on; a minute later a new one opens, even where the old one is at hand."""
    feed(world, 1.2, 1.2)
    feed(world, *[0.1] * 6)
    old = world.run(lambda db: db.alerts())[0]
    assert old.cleared_at is not None
    for gone, expected in ((25 * HOUR, old.id), (25 * HOUR + MIN, 0)):
        world.now = old.cleared_at + gone
        world.readings.clear()
        world.read(9.0)
        found = step(old.key, old, world.facts(), world.now, rules=world.rules, risk=RISK)
        assert found is not None
        assert found.alert.id == expected


def test_a_backlog_on_its_way_is_no_silence(world: World) -> None:
    """A device that is sending old readings right now is heard; it counts as silent only when nothing came for some minutes."""
    world.read(0.2, age=3 * DAY)
    key = AlertKey("kl", "main", "silent", None)
    facts = replace(world.facts(), received=world.now - 9 * MIN)
    assert step(key, None, facts, world.now, rules=world.rules, risk=RISK) is None
    assert step(key, None, facts, world.now + MIN, rules=world.rules, risk=RISK) is not None


@pytest.mark.parametrize(("interval_s", "minutes"), [(60.0, 10), (900.0, 15), (7200.0, 120)])
def test_who_has_just_begun_to_watch_knows_of_no_silence(world: World, interval_s: float, minutes: int) -> None:
    """After an outage of ours all of them are old: we wait ten minutes, or an interval of the sensor, for those that speak again."""
    world.read(0.2, age=2 * DAY)
    key = AlertKey("kl", "main", "silent", None)
    facts = replace(world.facts(), interval_s=interval_s, since=world.now)
    assert step(key, None, facts, world.now + minutes * MIN - 1, rules=world.rules, risk=RISK) is None
    opened = step(key, None, facts, world.now + minutes * MIN, rules=world.rules, risk=RISK)
    assert opened is not None
    stays = replace(opened.alert, id=1)
    assert step(key, stays, replace(facts, since=world.now + minutes * MIN), world.now + minutes * MIN, rules=world.rules, risk=RISK) is None


@pytest.mark.parametrize("missing", [{"last": 20}, {"without": range(5, 8)}])
def test_hours_that_nobody_forecast_clear_nothing(world: World, missing: dict[str, Any]) -> None:
    """An issue with a hole in the next 24 h, because the sensor was silent a day before, ends no warning; every second hour is enough."""

    def issue(keep: Callable[[int], bool], last: int = 72) -> Forecast:
        made = an_issue(world.now, {}, last=last)
        rows = [i for i, lead in enumerate(made.leads) if keep(lead)]
        return replace(made, **{name: tuple(getattr(made, name)[i] for i in rows) for name in ("leads", "times", "quantiles", "p_gt")})

    world.issue = an_issue(world.now, {5: (3.0, 0.9)})
    world.look()
    for _ in range(4):
        world.now += HOUR
        world.issue = issue(lambda lead: lead not in missing.get("without", ()), missing.get("last", 72))
        world.look()
        assert world.open("forecast", 1.0) is not None
    for _ in range(2):
        world.now += HOUR
        world.issue = issue(lambda lead: lead % 2 == 1)
        world.look()
    assert world.open("forecast", 1.0) is None
