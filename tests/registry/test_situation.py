"""What is known of every station now."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from core import verdict as rule
from core.forecast import Forecast
from core.place import Deployment, Device, Org, Station
from core.ports import RegistrySnapshot
from core.risk import Risk
from core.series import SeriesKey
from core.state import Latest, SeriesState
from core.verdict import Verdict
from registry.directory import Directory
from registry.situation import SALINITY, Situation

NOW = 1_772_420_400_000
HOUR = 3_600_000
MINUTE = 60_000


def state(
    station: str, point: str = "main", *, sensor: str = "p1", age: int = 0, value: float = 0.2, flag: int = 1, role: str = "primary", **more: Any
) -> SeriesState:
    """A judged newest reading of salinity."""
    latest = Latest(time=NOW - age, value=value, flag=flag)
    fields = {"judged": latest, "good": latest if flag == 1 else None, "interval_ms": None, "dirty_from": None} | more
    return SeriesState(
        key=SeriesKey("default", station, point, sensor, SALINITY),
        role=role,
        newest=latest,
        received=NOW,
        changed=more.pop("changed", 1),
        **fields,
    )


def situation(
    *states: SeriesState, stations: tuple[Station, ...] = (), deployments: tuple[Deployment, ...] = (), forecasts: tuple[Forecast, ...] = ()
) -> Situation:
    """A registry of these stations, with whatever devices their deployments name."""
    ids = {s.id for s in stations}
    named = tuple(Station(id=s, org="default", name=s) for s in sorted({x.key.station for x in states} - ids))
    devices = tuple(Device(id=d, org="default") for d in sorted({d.device for d in deployments}))
    snapshot = RegistrySnapshot(
        version=1, orgs=(Org(id="default", name="x"),), devices=devices, stations=stations + named, deployments=deployments, waterways=()
    )
    return Situation(Directory(snapshot), states, forecasts, Risk())


def calm(station: str, point: str = "main") -> Forecast:
    """P(S > 1) = .02 for three days."""
    return Forecast(
        org="default",
        station=station,
        point=point,
        target="hour",
        model="persistence",
        version="1",
        issued_at=NOW,
        data_until=NOW,
        inputs="",
        leads=tuple(range(1, 73)),
        times=tuple(NOW + i * HOUR for i in range(72)),
        quantiles=((0.1, 0.15, 0.2, 0.25, 0.3),) * 72,
        p_gt=((0.1, 0.02, 0.01, 0.0),) * 72,
    )


@pytest.mark.parametrize("judged", [1, 3])
def test_a_withdrawn_newest_reading_makes_nothing_fresh(judged: int) -> None:
    """The last that stands counts; until the judge has looked for it there is none, and where all is withdrawn there is no series."""
    old, gone = Latest(time=NOW - 9 * HOUR, value=0.1, flag=1), Latest(time=NOW, value=0.1, flag=9)
    waits = situation(state("kl", flag=9, judged=Latest(time=NOW - 1, value=0.1, flag=judged), good=old, dirty_from=NOW)).reading("kl", "main", SALINITY)
    assert waits is not None
    assert (waits.newest, waits.judged, waits.is_fresh(NOW, Risk())) == (old, None, False)
    here = situation(state("kl", flag=9, judged=gone, good=old), forecasts=(calm("kl"),))
    reading = here.reading("kl", "main", SALINITY)
    assert reading is not None
    assert (here.verdict("kl", NOW).verdict, reading.newest) == ("unknown", old)
    assert situation(state("kl", flag=9, judged=gone, good=None)).reading("kl", "main", SALINITY) is None


def test_a_swapped_probe_is_one_series() -> None:
    """The newest of either sensor speaks; what the old one said last does not make the series stale."""
    here = situation(state("kl", sensor="old", age=9 * HOUR, value=3.0), state("kl", sensor="new", value=0.2))
    found = here.reading("kl", "main", SALINITY)
    assert found is not None
    assert (found.sensor, found.newest.value) == ("new", 0.2)
    assert here.verdict("kl", NOW).band == 0


def test_a_bad_reading_of_either_probe_silences_the_series() -> None:
    """A newer reading that failed, from another primary sensor, is one of this series."""
    here = situation(state("kl", sensor="a", age=60_000), state("kl", sensor="b", flag=4), forecasts=(calm("kl"),))
    assert (here.verdict("kl", NOW).verdict, here.verdict("kl", NOW).reason) == ("unknown", "fault")


@pytest.mark.parametrize(
    ("quantity", "age", "flag", "reason"),
    [
        ("water.ec", 0, 4, "fault"),
        ("water.ec_raw", 0, 3, "suspect"),
        ("water.ec", 0, 1, "ok"),
        ("water.ec", 2 * 60_000, 4, "ok"),
        ("water.temperature", 0, 4, "ok"),
    ],
)
def test_a_bad_conductivity_silences_the_salinity_before_it(quantity: str, age: int, flag: int, reason: str) -> None:
    """A probe that reads -1 has no salinity: the last good one must not go on saying take. One that came after it speaks again."""
    salinity = state("kl", age=60_000)
    source = state("kl", age=age, value=-1.0, flag=flag)
    found = situation(salinity, replace(source, key=source.key._replace(quantity=quantity)), forecasts=(calm("kl"),))
    assert found.verdict("kl", NOW).reason == reason
    assert (found.verdict("kl", NOW).verdict == "take") is (reason == "ok")
    assert bool(found.windows("kl", NOW).windows) is (reason == "ok")
    shown = found.reading("kl", "main", SALINITY)
    assert shown is not None
    assert found.is_sound(shown, NOW) is (reason == "ok")


def test_a_check_sensor_never_speaks() -> None:
    """A fresh check reading beside a silent primary leaves the verdict unknown."""
    here = situation(state("kl", age=7 * HOUR), state("kl", sensor="hand", role="check"), forecasts=(calm("kl"),))
    assert here.verdict("kl", NOW).reason == "silent"
    assert here.points("kl") == ["main"]


@pytest.mark.parametrize(
    ("value", "flag", "age", "word", "hours"),
    [
        (0.3, 1, 0, "take", 72),
        (0.5, 1, 0, "measure", 72),  # at half the limit: less than safe, and no salt yet
        (7.0, 1, 0, "measure", 71),
        (7.0, 2, 0, "measure", 71),  # not judged yet: that may say no too
        (math.nan, 2, 0, "measure", 71),
        (7.0, 3, 0, "measure", 71),
        (7.0, 4, 0, "take", 72),  # a probe known to fail says nothing
        (7.0, 1, HOUR + 1, "take", 72),  # nor one that fell silent
    ],
)
def test_a_check_that_contradicts_takes_back_safe(value: float, flag: int, age: int, word: str, hours: int) -> None:
    """A fresh check probe may not say *take*, but it may say that it is not; the hour that runs is not offered beside its salt."""
    here = situation(state("kl"), state("kl", sensor="hand", role="check", value=value, flag=flag, age=age), forecasts=(calm("kl"),))
    assert here.verdict("kl", NOW).verdict == word
    assert sum((w.end - w.start) // HOUR for w in here.windows("kl", NOW).windows) == hours


@pytest.mark.parametrize(
    ("fresh", "flag"),
    [
        (0.2, 1),  # another probe that agrees
        (99.0, 4),  # another that fails
    ],
)
def test_any_check_takes_back_safe(fresh: float, flag: int) -> None:
    """The salt of one probe is not hidden by a newer word of another."""
    salt, other = state("kl", sensor="hand", role="check", value=7.0, age=MINUTE), state("kl", sensor="boat", role="check", value=fresh, flag=flag)
    for order in ((salt, other), (other, salt)):
        assert situation(state("kl"), *order, forecasts=(calm("kl"),)).verdict("kl", NOW).verdict == "measure"


@pytest.mark.parametrize(("age", "word"), [(MINUTE, "measure"), (HOUR + 1, "take")])
def test_a_check_that_fails_does_not_take_back_its_salt(age: int, word: str) -> None:
    """What it measured while it was good is a word as long as it is fresh."""
    good = Latest(time=NOW - age, value=7.0, flag=1)
    failed = state("kl", sensor="hand", role="check", value=99.0, flag=4, good=good)
    assert situation(state("kl"), failed, forecasts=(calm("kl"),)).verdict("kl", NOW).verdict == word


@pytest.mark.parametrize(
    ("ec", "flag", "age", "word"),
    [
        (12.0, 1, MINUTE, "measure"),  # sent a minute before the device's own salinity
        (12.0, 2, MINUTE, "measure"),
        (12.0, 1, -MINUTE, "measure"),  # or after it
        (0.4, 1, MINUTE, "take"),
        (12.0, 3, MINUTE, "measure"),  # suspect, perhaps because it contradicted the salinity of its own time: nobody knows which is wrong
        (12.0, 4, MINUTE, "take"),  # known to fail
        (12.0, 1, 16 * MINUTE, "take"),  # the tide may have turned
        (12.0, 1, 0, "take"),  # of one time quality control has the word
    ],
)
def test_a_conductivity_sent_apart_takes_back_safe(ec: float, flag: int, age: int, word: str) -> None:
    """What the conductivity of about the same time is in salinity may not say *take*, but it may say that it is not."""
    salinity = state("kl")
    measured = state("kl", value=ec, flag=flag, age=age)
    measured = replace(measured, key=measured.key._replace(quantity="water.ec"))
    assert situation(salinity, measured, forecasts=(calm("kl"),)).verdict("kl", NOW).verdict == word


@pytest.mark.parametrize(("quantity", "salt", "fresh"), [("water.ec", 12.0, 0.4), ("water.ec_raw", 12.0, 0.4), ("water.chloride", 5130.0, 50.0)])
def test_whatever_tells_salt_by_itself_takes_back_safe(quantity: str, salt: float, fresh: float) -> None:
    """By the least salinity there can be with it: a minute before the device's own, or after it; not at its very time, nor an hour before."""

    def word(value: float, age: int) -> str:
        measured = state("kl", value=value, age=age)
        apart = replace(measured, key=measured.key._replace(quantity=quantity))
        return situation(state("kl"), apart, forecasts=(calm("kl"),)).verdict("kl", NOW).verdict

    assert [word(salt, age) for age in (-MINUTE, MINUTE, 0, HOUR)] == ["measure", "measure", "take", "take"]
    assert [word(fresh, age) for age in (-MINUTE, MINUTE)] == ["take", "take"]


def test_time_alone_makes_nothing_safe() -> None:
    """Two that contradict each other grow old together: no instant turns what was not safe into *take*."""
    checked = situation(state("kl", age=MINUTE), state("kl", sensor="hand", role="check", value=7.0, age=3 * MINUTE), forecasts=(calm("kl"),))
    salt = state("kl", value=12.0, age=3 * MINUTE)
    apart = situation(state("kl", age=MINUTE), replace(salt, key=salt.key._replace(quantity="water.ec")), forecasts=(calm("kl"),))
    for here in (checked, apart):
        assert {here.verdict("kl", NOW + n * MINUTE).verdict for n in range(62)} == {"measure", "unknown"}


def test_a_check_that_was_moved_afterwards_is_none() -> None:
    """What it measured elsewhere is no word on this water."""
    salt = state("kl", sensor="hand", role="check", value=7.0)
    stood = Deployment(device="hand", channel="main", station="kl", point="main", role="check")
    places = {"here": (stood,), "elsewhere": (replace(stood, station="other"),), "nowhere": (replace(stood, start=NOW, end=NOW),)}
    words = {name: situation(state("kl"), salt, deployments=d, forecasts=(calm("kl"),)).verdict("kl", NOW).verdict for name, d in places.items()}
    assert words == {"here": "measure", "elsewhere": "take", "nowhere": "take"}


@pytest.mark.parametrize(
    ("registered", "points", "expected"),
    [
        ("", ["main", "in"], "main"),
        ("", ["in", "out"], "in"),
        ("", ["out"], None),
        ("", [], None),
        ("out", ["main", "in", "out"], "out"),
        ("top", ["main"], "top"),
    ],
)
def test_the_verdict_is_read_at_one_point(registered: str, points: list[str], expected: str | None) -> None:
    """As registered, else main, else in, else nowhere: never at another one because it has data."""
    here = situation(*(state("kl", p) for p in points), stations=(Station(id="kl", org="default", name="KL", verdict_point=registered),))
    assert here.verdict_point("kl") == expected
    if expected not in points:
        assert here.verdict("kl", NOW).reason == "no_data"


def test_a_field_shows_its_intakes_verdict() -> None:
    """Not one of its own, even where it has a probe; an intake that is gone is not followed."""
    field = Station(id="ruong", org="default", name="Ruộng", intake="kl")
    here = situation(state("kl", value=5.0), state("ruong", value=0.1), stations=(field,), forecasts=(calm("ruong"),))
    assert here.verdict("ruong", NOW).verdict == "stop"
    lost = situation(state("ruong"), stations=(Station(id="ruong", org="default", name="Ruộng", intake="gone"),))
    assert lost.verdict("ruong", NOW).band == 0


def test_the_interval_is_the_deployments_else_the_series_own() -> None:
    """Hourly by the deployment, two-hourly by its gaps, unknown (15 min) without either."""
    deployed = Deployment(device="p1", channel="main", station="kl", point="main", interval_s=3600)
    assert situation(state("kl"), deployments=(deployed,)).water("kl", "main").interval_s == 3600
    assert situation(state("kl", interval_ms=7_200_000)).water("kl", "main").interval_s == 7200
    assert situation(state("kl")).water("kl", "main").interval_s is None
    old = 5 * HOUR
    assert situation(state("kl", interval_ms=7_200_000, age=old)).verdict("kl", NOW).reason == "no_forecast"
    assert situation(state("kl", age=old)).verdict("kl", NOW).reason == "stale"


def test_an_unjudged_reading_is_not_called_good() -> None:
    """Flag 2 until the judge has passed, except where ingest saw at once that it is bad."""
    waiting = state("kl", judged=None, good=None)
    assert situation(waiting).readings("kl")[0].flag == 2
    bad = state("kl", flag=4, judged=None)
    assert situation(bad).readings("kl")[0].flag == 4
    assert situation(state("kl")).readings("kl")[0].flag == 1


def test_the_verdict_is_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the one function and the situation's verdict changes with it."""
    said = Verdict(verdict="stop", reason="ok", band=4, as_of=1, until=None, p=None, limit=1.0)
    monkeypatch.setattr(rule, "verdict", lambda *a, **k: said)
    assert situation(state("kl")).verdict("kl", NOW) is said
    assert situation().verdict("nowhere", NOW) is said


def test_a_sensor_moved_afterwards_no_longer_speaks_for_the_place_it_left() -> None:
    """Corrected deployments hold for the verdict as for the series: neither what came after it left, nor as a check."""
    there = (
        Deployment(device="p1", channel="main", station="kl", point="main", end=NOW - 12 * HOUR),
        Deployment(device="p1", channel="main", station="moi", point="main", start=NOW - 12 * HOUR),
    )
    moved = situation(state("kl"), deployments=there, forecasts=(calm("kl"),), stations=(Station(id="moi", org="default", name="Mới"),))
    assert moved.verdict("kl", NOW).reason == "no_data"
    assert moved.reading("kl", "main", SALINITY) is None
    before = Latest(time=NOW - 13 * HOUR, value=0.3, flag=1)
    kept = situation(state("kl", good=before), deployments=there, stations=(Station(id="moi", org="default", name="Mới"),))
    assert kept.verdict("kl", NOW).reason == "silent"
    check = (Deployment(device="p1", channel="main", station="kl", point="main", role="check"),)
    assert situation(state("kl"), deployments=check, forecasts=(calm("kl"),)).verdict("kl", NOW).reason == "no_data"


def test_a_reading_from_the_future_is_not_fresh() -> None:
    """A clock that was set back by hours makes no reading fresh."""
    found = situation(state("kl", age=-3 * HOUR)).reading("kl", "main", SALINITY)
    assert found is not None
    assert not found.is_fresh(NOW, Risk())


def test_windows_are_read_where_the_verdict_is() -> None:
    """At the verdict point by its own forecast and by the limit asked for; the same verdict goes with them."""
    here = situation(state("kl"), forecasts=(calm("kl"),))
    found = here.windows("kl", NOW)
    assert [(w.start, w.end) for w in found.windows] == [(NOW, NOW + 72 * HOUR)]
    assert found.verdict == here.verdict("kl", NOW)
    assert here.windows("kl", NOW, limit=0.1).windows == ()
    assert here.windows("kl", NOW, limit=0.1).verdict == here.verdict("kl", NOW, limit=0.1)
    with pytest.raises(ValueError, match="limit"):
        here.windows("kl", NOW, limit=-1.0)


def test_a_field_has_the_windows_of_its_intake() -> None:
    """And none where the intake is silent."""
    field = Station(id="ruong", org="default", name="Ruộng", intake="kl")
    assert situation(state("kl"), stations=(field,), forecasts=(calm("kl"),)).windows("ruong", NOW).windows
    silent = situation(state("kl", age=7 * HOUR), stations=(field,), forecasts=(calm("kl"),)).windows("ruong", NOW)
    assert (silent.windows, silent.reason) == ((), "silent")


def test_windows_of_one_point_are_not_those_of_another() -> None:
    """Outside the sluice the sensor has failed: there are none there, and those inside stand."""
    here = situation(state("kl", "in"), state("kl", "out", sensor="p2", flag=4), forecasts=(calm("kl", "in"), calm("kl", "out")))
    assert here.windows("kl", NOW).windows
    assert here.windows("kl", NOW, point="out").reason == "fault"
    assert here.windows("nowhere", NOW).reason == "no_data"


def test_a_sluice_is_measured_on_both_sides() -> None:
    """None where it is not; nothing is said where one side failed or has no forecast."""
    inside, outside = calm("kl", "in"), calm("kl", "out")
    assert situation(state("kl", "in"), forecasts=(inside,)).sluice("kl", NOW) is None
    both = situation(state("kl", "in"), state("kl", "out", sensor="p2"), forecasts=(inside, outside)).sluice("kl", NOW)
    assert both is not None
    assert (both.reason, len(both.sides)) == ("ok", 1)
    failed = situation(state("kl", "in"), state("kl", "out", sensor="p2", flag=4), forecasts=(inside, outside)).sluice("kl", NOW)
    assert failed is not None
    assert (failed.reason, failed.sides) == ("fault", ())
    bare = situation(state("kl", "in"), state("kl", "out", sensor="p2"), forecasts=(inside,)).sluice("kl", NOW)
    assert bare is not None
    assert bare.reason == "no_forecast"


@pytest.mark.parametrize(("hours", "told"), [(0, True), (24, True), (24.01, False), (9 * 24, False), (-0.1, True), (-1, False)])
def test_an_issue_is_told_of_as_long_as_the_verdict_uses_it(hours: float, told: bool) -> None:
    """A day; none from a time to come, but for ten minutes between two clocks. One rule, for hours and days."""
    issue = replace(calm("a"), issued_at=NOW - round(hours * HOUR))
    found = situation(state("a"), forecasts=(issue,))
    assert found.believes(issue, NOW) is told
    assert not found.believes(replace(issue, leads=(), times=(), quantiles=(), p_gt=()), NOW), "it took back what was said"
    assert (found.verdict("a", NOW).reason == "ok") is told


@pytest.mark.parametrize(("value", "word", "hours"), [(0.2, "take", 1), (0.9, "measure", 1), (1.2, "wait", 0), (7.0, "stop", 0)])
def test_no_hours_to_pump_and_no_chance_beside_salt_that_the_forecast_ruled_out(value: float, word: str, hours: int) -> None:
    """Water over the limit, and said to be fresh for days: the verdict stays, and nothing of that forecast is told beside it."""
    found = situation(state("a", value=value), forecasts=(calm("a"),))
    v = found.verdict("a", NOW)
    assert v.verdict == word
    assert (v.p is None) is (hours == 0)
    assert len(found.windows("a", NOW).windows) == hours
    assert found.outlook("a", v, NOW) is None
