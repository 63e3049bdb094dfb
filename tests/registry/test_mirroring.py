"""What a board may colour: at most one fresh row a point, and only where the verdict believes the value."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.alert import Alert
from core.board import NO_PUMP, Pump, Shown
from core.errors import RefusedError, UnavailableError
from core.forecast import Forecast
from core.place import Deployment, Device, Org, Station, Waterway
from core.ports import RefusedRow, RegistrySnapshot
from core.risk import Risk
from core.series import SeriesKey
from core.state import Latest, SeriesState
from core.verdict import WaterState, holds_until, verdict
from registry.directory import Directory
from registry.mirroring import DAY_MS, HOUR_MS, Mirroring
from registry.situation import SALINITY, Situation

NOW = 1_772_420_400_000
MINUTE = 60_000
HOUR = 60 * MINUTE
KL = Station(id="kl", org="o", name="Kênh Lầu", waterway="cai-lon")
CAI_LON = Waterway(id="cai-lon", name="Cái Lớn", sea="west", length_km=64.0)


@dataclass(slots=True)
class Grafana:
    """A store that keeps rows by tags and time. `cut`: the next send fails, after that many of its rows; `deaf`: what stands cannot be read;

    `never`: rows it will never take.
    """

    rows: dict[tuple[str, str, str, int], Shown] = field(default_factory=dict)
    sent: list[list[Shown]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    stations: list[tuple[tuple[str, ...], dict[str, str], int]] = field(default_factory=list)
    cut: int | None = None
    deaf: bool = False
    refuse: bool = False
    never: Callable[[Shown], bool] = lambda row: False
    now: int = NOW  # of whoever looks while a send is half done

    async def mirror_forecasts(self, forecasts: Sequence[Forecast]) -> list[RefusedRow]:
        raise AssertionError

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        raise AssertionError

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        if self.refuse:
            raise RefusedError("a station that no line can hold")
        self.stations.append((tuple(s.name for s in stations), dict(waterways), at))
        return len(stations)

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        taken = list(rows) if self.cut is None else list(rows)[: self.cut]
        for row in taken:
            if self.never(row):
                continue
            self.rows[row.org, row.station, row.point, row.time] = row
            assert len(self.fresh(row.station, row.point, self.now)) <= 1, "two fresh rows within one send"
        if self.cut is not None:
            self.cut = None
            raise UnavailableError("InfluxDB is away")
        self.sent.append(list(rows))
        return [RefusedRow(row=n, text="points beyond retention policy") for n, row in enumerate(rows) if self.never(row)]

    async def mirrored_latest(self, since: int) -> list[Shown]:
        self.asked.append(since)
        if self.deaf:
            raise UnavailableError("InfluxDB is away")
        newest = {key[:3]: self.rows[key] for key in sorted(self.rows)}
        return [row for row in self.rows.values() if (row.fresh and row.time > since) or row == newest[row.org, row.station, row.point]]

    def fresh(self, station: str, point: str, now: int) -> list[Shown]:
        """What a board would colour."""
        return [r for r in self.rows.values() if (r.station, r.point) == (station, point) and r.fresh and r.time > now]

    def newest(self, point: str = "main") -> Shown:
        """What `last()` finds of a point, over all orgs; of two with one time the one that says less of now."""
        return max((r for r in self.rows.values() if r.point == point), key=lambda r: (r.time, -r.seen))


def state(time: int = NOW, value: float = 0.2, flag: int = 1, *, point: str = "main", judged: Latest | bool = True, **more: object) -> SeriesState:
    """A newest reading; judged, not judged, or another one was judged last."""
    latest = Latest(time=time, value=value, flag=flag)
    given = {"sensor": "d", "org": "o", "interval_ms": 900_000} | more
    return SeriesState(
        key=SeriesKey(str(given["org"]), "kl", point, str(given["sensor"]), SALINITY),
        role="primary",
        newest=latest,
        received=time,
        judged=(latest if judged else None) if isinstance(judged, bool) else judged,
        good=None,
        dirty_from=None,
        changed=1,
        interval_ms=int(str(given["interval_ms"])),
    )


def situation(
    *states: SeriesState,
    station: Station = KL,
    deployments: tuple[Deployment, ...] = (),
    version: int = 1,
    risk: Risk | None = None,
    forecasts: tuple[Forecast, ...] = (),
) -> Situation:
    snapshot = RegistrySnapshot(
        version=version,
        orgs=(Org(id="o", name="O"),),
        devices=(Device(id="d", org="o"),),
        stations=(station,),
        deployments=deployments,
        waterways=(CAI_LON,),
    )
    return Situation(Directory(snapshot), states, forecasts, risk or Risk())


def run(mirroring: Mirroring, here: Situation, now: int = NOW) -> int:
    """How many rows of `latest` were sent."""
    return asyncio.run(mirroring.latest(here, now))


def stations(mirroring: Mirroring, here: Situation, now: int = NOW) -> int:
    return asyncio.run(mirroring.stations(here.directory, now))


def test_a_good_reading_stands_at_the_instant_until_which_it_holds() -> None:
    """Time = the reading's + stale_after, with what a board shows beside it; the same again sends nothing."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    assert run(mirroring, situation(state(value=1.8))) == 1
    row = Shown(
        org="o",
        station="kl",
        point="main",
        time=NOW + HOUR,
        fresh=True,
        seen=NOW,
        flag=1,
        salinity=1.8,
        is_verdict_point=True,
        name="Kênh Lầu",
        waterway="cai-lon",
    )
    assert grafana.sent == [[row]]
    assert run(mirroring, situation(state(value=1.8)), NOW + MINUTE) == 0
    assert grafana.sent == [[row]]


def test_the_interval_and_the_configured_ages_decide_how_long() -> None:
    """A two-hourly sensor's value holds six hours; a stricter risk.toml takes the row back and sets a nearer one."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(interval_ms=7_200_000)))
    assert [r.time for r in grafana.fresh("kl", "main", NOW)] == [NOW + 6 * HOUR]
    run(mirroring, situation(state(interval_ms=7_200_000), risk=Risk(stale_max_h=2.0)))
    assert [r.time for r in grafana.fresh("kl", "main", NOW)] == [NOW + 2 * HOUR]


def test_a_newer_reading_takes_the_place_of_the_older() -> None:
    """The superseded row says fresh=0 and what is known now; it is withdrawn before the new one is set."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(value=0.2)))
    later = NOW + 15 * MINUTE
    run(mirroring, situation(state(later, 3.0)), later)
    old, new = grafana.sent[1]
    assert (old.time, old.fresh, old.salinity, old.seen) == (NOW + HOUR, False, 3.0, later)
    assert (new.time, new.fresh, new.salinity) == (later + HOUR, True, 3.0)
    assert run(mirroring, situation(state(later, 3.0)), later) == 0


@pytest.mark.parametrize("flag", [3, 4])
def test_a_bad_reading_withdraws_what_stood(flag: int) -> None:
    """Suspect or failed, judged or told by ingest: no fresh row is left, and the newest row says why."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    good = state(value=0.2)
    run(mirroring, situation(good))
    bad = state(NOW + MINUTE, 55.0, flag, judged=good.newest)
    run(mirroring, situation(bad), NOW + MINUTE)
    assert grafana.fresh("kl", "main", NOW) == []
    assert (grafana.newest().time, grafana.newest().flag, grafana.newest().seen) == (NOW + HOUR, flag, NOW + MINUTE)
    assert run(mirroring, situation(bad), NOW + 2 * MINUTE) == 0
    worse = state(NOW + 16 * MINUTE, 56.0, 4)
    run(mirroring, situation(worse), NOW + 16 * MINUTE)
    assert (grafana.newest().flag, grafana.newest().salinity, grafana.newest().seen) == (4, 56.0, NOW + 16 * MINUTE)


def test_a_point_that_never_could_speak_stands_where_its_newest_reading_does() -> None:
    """Unjudged, stale, or no number: a row with fresh=0 at the reading's time, without a value where none was judged."""
    for here, salinity, flag in (
        (state(judged=False), None, 2),
        (state(NOW - 2 * HOUR), 0.2, 1),
        (state(value=float("nan")), None, 1),
        (state(NOW + 11 * MINUTE), 0.2, 1),
    ):
        grafana = Grafana()
        mirroring = Mirroring(grafana)
        run(mirroring, situation(here))
        assert [(r.time, r.fresh, r.salinity, r.flag) for r in grafana.rows.values()] == [(here.newest.time, False, salinity, flag)]
        assert run(mirroring, situation(here)) == 0


def test_a_reading_ahead_of_us_speaks_when_its_time_has_come() -> None:
    """What lies over ten minutes ahead is not believed; a minute later it may be."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    ahead = situation(state(NOW + 10 * MINUTE + 1))
    run(mirroring, ahead)
    assert grafana.fresh("kl", "main", NOW) == []
    run(mirroring, ahead, NOW + MINUTE)
    assert len(grafana.fresh("kl", "main", NOW + MINUTE)) == 1


def test_a_silent_sensor_leaves_by_itself() -> None:
    """Without any run its row is past; the next run withdraws it for those who look at the past."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    here = situation(state())
    run(mirroring, here)
    assert grafana.fresh("kl", "main", NOW + HOUR) == []
    run(mirroring, here, NOW + HOUR + 1)
    assert [r.fresh for r in grafana.rows.values()] == [False]


def test_a_row_nearer_than_a_withdrawn_one() -> None:
    """An interval that became shorter: the fresh row is the nearer, and the newest row says the same without colour."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(interval_ms=7_200_000)))
    run(mirroring, situation(state(interval_ms=900_000)))
    later = NOW + 15 * MINUTE
    run(mirroring, situation(state(later, 2.5)), later)
    assert [(r.time, r.salinity) for r in grafana.fresh("kl", "main", later)] == [(later + HOUR, 2.5)]
    assert (grafana.newest().time, grafana.newest().fresh, grafana.newest().salinity) == (NOW + 6 * HOUR, False, 2.5)


def test_what_an_earlier_process_left_is_taken_back() -> None:
    """A restart asks once what is fresh, and withdraws what is so no longer, of points that are gone too."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state(), state(point="out")))
    mirroring = Mirroring(grafana)
    later = NOW + 15 * MINUTE
    run(mirroring, situation(state(later, 40.0, 4)), later)
    run(mirroring, situation(state(later, 40.0, 4)), later + MINUTE)
    assert grafana.asked == [NOW, later]
    assert [r for r in grafana.rows.values() if r.fresh] == []


def test_a_clock_set_back_makes_old_rows_current_again() -> None:
    """What an earlier process left was past at our start; before that start it would be coloured, and is withdrawn."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state()))
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state()), NOW + 2 * HOUR)
    run(mirroring, situation(state(value=40.0, flag=4)))
    assert grafana.fresh("kl", "main", NOW) == []


def test_a_deployment_corrected_afterwards_and_a_new_name() -> None:
    """The point that no longer speaks is withdrawn; a renamed station's row carries the new name."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    here = Deployment(device="d", channel="main", station="kl", point="main", interval_s=900)
    run(mirroring, situation(state(), deployments=(here,)))
    renamed = replace(KL, name="Kênh Lầu 2", waterway="")
    run(mirroring, situation(state(), deployments=(here,), station=renamed, version=2))
    assert [(r.name, r.waterway) for r in grafana.fresh("kl", "main", NOW)] == [("Kênh Lầu 2", "")]
    moved = situation(state(), deployments=(replace(here, point="out"),), station=renamed, version=3)
    run(mirroring, moved)
    assert [r for r in grafana.rows.values() if r.fresh] == []
    assert run(mirroring, moved) == 0
    run(mirroring, situation(state(), deployments=(here,), station=renamed, version=3))
    assert len(grafana.fresh("kl", "main", NOW)) == 1


def test_another_org_at_the_same_point() -> None:
    """A probe of another org takes over: one fresh row, under its org."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state()))
    run(mirroring, situation(state(sensor="e", org="p")))
    assert [r.org for r in grafana.fresh("kl", "main", NOW)] == ["p"]


def test_the_verdict_point_is_told() -> None:
    """Of two points one is the station's; both have their rows."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state(point="in"), state(point="out")))
    assert {r.point: r.is_verdict_point for r in grafana.rows.values()} == {"in": True, "out": False}


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_after_a_failed_send_all_of_it_comes_again(taken: int) -> None:
    """However much of it arrived, and although the state turned back meanwhile: what stands is what should."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    before, after = situation(state()), situation(state(NOW + MINUTE, 1.5))
    run(mirroring, before)
    grafana.cut = taken
    with pytest.raises(UnavailableError):
        run(mirroring, after, NOW + MINUTE)
    run(mirroring, before, NOW + MINUTE)
    assert [(r.time, r.salinity) for r in grafana.fresh("kl", "main", NOW)] == [(NOW + HOUR, 0.2)]


def test_stations_at_a_start_at_a_change_and_each_day() -> None:
    """With the names of their waterways, at the clock's now; also after the clock was set back, and again after a failure."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    grafana.refuse = True
    with pytest.raises(RefusedError):
        stations(mirroring, situation())
    grafana.refuse = False
    for version, now, name in ((1, NOW, "A"), (1, NOW + 1, "A"), (2, NOW + 2, "B"), (2, NOW + 2 + DAY_MS, "B"), (2, NOW, "B")):
        stations(mirroring, situation(station=replace(KL, name=name), version=version), now)
    assert [(names, at) for names, _, at in grafana.stations] == [(("A",), NOW), (("B",), NOW + 2), (("B",), NOW + 2 + DAY_MS), (("B",), NOW)]
    assert grafana.stations[0][1] == {"cai-lon": "Cái Lớn"}


def test_the_newest_row_says_how_it_is_after_a_restart() -> None:
    """A good reading, a suspect one that withdraws it, a restart, a failed one: what last() finds is the failed one, though its row is nearer."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state()))
    run(mirroring, situation(state(NOW + 15 * MINUTE, 55.0, 3)), NOW + 15 * MINUTE)
    later = NOW + 30 * MINUTE
    run(Mirroring(grafana), situation(state(later, 56.0, 4)), later)
    assert (grafana.newest().time, grafana.newest().seen, grafana.newest().flag) == (NOW + HOUR, later, 4)


def test_the_newest_row_may_be_past_at_a_restart() -> None:
    """A value ran out, we began again, and a late suspect reading came that was measured before it ran out: last() finds that one."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state()))
    late = state(NOW + 50 * MINUTE, 55.0, 3)
    run(Mirroring(grafana), situation(late), NOW + 2 * HOUR)
    assert (grafana.newest().time, grafana.newest().seen, grafana.newest().flag) == (NOW + HOUR, NOW + 50 * MINUTE, 3)
    assert [r for r in grafana.rows.values() if r.fresh] == []


def test_what_the_store_never_takes() -> None:
    """A silent station's row older than the store keeps: all others are written, it is told, not sent again until it changes or an hour has passed."""
    grafana = Grafana(never=lambda row: row.point == "old")
    mirroring = Mirroring(grafana)
    old = state(NOW - 100 * DAY_MS, point="old")
    assert run(mirroring, situation(state(), old)) == 2
    assert len(grafana.fresh("kl", "main", NOW)) == 1
    assert mirroring.refused == "the newest value of kl/old cannot be shown: points beyond retention policy"
    assert run(mirroring, situation(state(), old), NOW + MINUTE) == 0
    assert mirroring.refused
    later = NOW + 15 * MINUTE
    run(mirroring, situation(state(later, 40.0, 4), old), later)
    assert grafana.fresh("kl", "main", later) == []
    assert "old" not in {row.point for row in grafana.sent[-1]}
    grafana.never = lambda row: False
    run(mirroring, situation(state(later, 40.0, 4), old), NOW + HOUR_MS)
    assert (grafana.newest("old").seen, mirroring.refused) == (NOW - 100 * DAY_MS, "")


def test_rows_refused_for_days_do_not_pile_up() -> None:
    """A store that takes nothing: each round sends what is new, never all that was refused before."""
    grafana = Grafana(never=lambda row: True)
    mirroring = Mirroring(grafana)
    for n in range(200):
        at = NOW + n * 15 * MINUTE
        assert run(mirroring, situation(state(at)), at) <= 8


def test_a_withdrawal_that_was_refused_is_tried_again() -> None:
    """What may still be coloured is withdrawn with the next change, and at least each hour; while it lasts it is told."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(interval_ms=7_200_000)))
    grafana.never = lambda row: True
    run(mirroring, situation(state(NOW + MINUTE, 55.0, 4)), NOW + MINUTE)
    assert len(grafana.fresh("kl", "main", NOW + MINUTE)) == 1
    assert mirroring.refused
    grafana.never = lambda row: False
    run(mirroring, situation(state(NOW + MINUTE, 55.0, 4)), NOW + HOUR_MS)
    assert grafana.fresh("kl", "main", NOW + HOUR_MS) == []
    assert mirroring.refused == ""


# ------------------------------------------------------------------ the law


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is known of one point: the age of its newest reading [min], and what of it is judged."""

    age: int
    value: float
    flag: int
    judged: str
    interval: int
    org: str

    def state(self, point: str, now: int) -> SeriesState:
        newest = now - self.age * MINUTE
        judged = {"it": True, "nothing": False, "older": Latest(time=newest - 20 * MINUTE, value=0.4, flag=1)}[self.judged]
        return state(newest, self.value, self.flag, point=point, judged=judged, interval_ms=self.interval, org=self.org)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Two points some minutes after the round before, and what goes wrong; `points` None: nothing new came."""

    after: int
    points: dict[str, Point] | None
    restart: bool
    cut: int | None
    deaf: bool
    strict: bool


points = st.builds(
    Point,
    age=st.sampled_from([0, 0, 0, 20, 45, 300, -9, -11]),
    value=st.sampled_from([0.2, 0.2, 1.8, 6.0, float("nan"), -1.0]),
    flag=st.sampled_from([1, 1, 1, 1, 2, 3, 4, 9]),
    judged=st.sampled_from(["it", "it", "it", "older", "nothing"]),
    interval=st.sampled_from([900_000, 900_000, 7_200_000]),
    org=st.sampled_from(["o", "o", "o", "p"]),
)
rounds = st.builds(
    Round,
    after=st.sampled_from([0, 1, 20, 20, 70, 400, -30, -400]),
    points=st.none() | st.dictionaries(st.sampled_from(["main", "out"]), points),
    restart=st.sampled_from([False, False, False, True]),
    cut=st.sampled_from([None, None, None, 0, 1, 2, 3]),
    deaf=st.sampled_from([False, False, False, True]),
    strict=st.sampled_from([False, False, False, True]),
)


@settings(max_examples=300)
@given(st.lists(rounds, min_size=1, max_size=12))
def test_law(story: list[Round]) -> None:
    """After any states, times, restarts and failed sends: at most one fresh row a point at every moment, and after each run that
    succeeded exactly where the verdict believes the value now, for as long as it would; and the row with the newest time says
    how the point is, whoever wrote it and whenever it stands."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    states: list[SeriesState] = []
    now = NOW
    for one in story:
        now += one.after * MINUTE
        if one.points is not None:
            states = [p.state(point, now) for point, p in one.points.items()]
        if one.restart:
            mirroring = Mirroring(grafana)
        grafana.cut, grafana.deaf, grafana.now = one.cut, one.deaf, now
        here = situation(*states, risk=Risk(stale_max_h=2.0) if one.strict else None)
        try:
            asyncio.run(mirroring.latest(here, now))
        except UnavailableError:
            continue
        for point in ("main", "out"):
            shown = grafana.fresh("kl", point, now)
            water = here.water("kl", point)
            held = verdict(water, None, None, now, risk=here.risk).band is not None
            assert len(shown) <= 1
            assert not shown or held
            for row in shown:
                assert water.judged is not None
                assert row.salinity == water.judged.value
                for at in (now, (now + row.time) // 2, row.time - 1):
                    assert verdict(water, None, None, at, risk=here.risk).band is not None
            reading = here.reading("kl", point, SALINITY)
            if reading is not None:
                newest = grafana.newest(point)
                assert (newest.seen, newest.flag) == (reading.newest.time, reading.flag)
                assert newest.salinity == (shown[0].salinity if shown else newest.salinity)
            if held and reading is not None:
                until = holds_until(water, now, risk=here.risk) or 0
                assert until == now or [r.time for r in shown] == [until]
                assert verdict(water, None, None, until + 1, risk=here.risk).band is None


def test_until_when_a_value_holds() -> None:
    """Exactly as long as the verdict believes it; never without a judged good reading."""
    reading = Latest(time=NOW, value=0.3, flag=1)
    water = WaterState(newest=reading, judged=reading, interval_s=900)
    assert holds_until(water, NOW) == NOW + HOUR
    assert holds_until(water, NOW + HOUR) == NOW + HOUR
    assert holds_until(water, NOW + HOUR + 1) is None
    assert holds_until(WaterState(newest=reading), NOW) is None
    assert holds_until(WaterState(newest=replace(reading, flag=4), judged=reading), NOW) is None


def ebb(*, issued: int = NOW, id: int = 1, low: float = 0.3) -> Forecast:
    """Fresh in hours 4–7 of every 12, else salty."""
    fresh, salty = ((0.1, 0.2, low, 0.4, 0.5), (0.05, 0.04, 0.01, 0.0)), ((2.0, 2.5, 3.0, 3.5, 4.0), (1.0, 1.0, 0.95, 0.05))
    rows = [fresh if 4 <= n % 12 < 8 else salty for n in range(72)]
    hour = NOW - NOW % HOUR
    return Forecast(
        id=id,
        org="o",
        station="kl",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=issued,
        data_until=issued,
        inputs="",
        leads=tuple(range(1, 73)),
        times=tuple(hour + n * HOUR for n in range(72)),
        quantiles=tuple(q for q, _ in rows),
        p_gt=tuple(p for _, p in rows),
    )


def test_the_next_hours_to_pump_go_with_a_fresh_row() -> None:
    """Those of the window function, by the configured limit; the row that is superseded loses them."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(value=1.8), forecasts=(ebb(),)))
    hour = NOW - NOW % HOUR
    assert grafana.newest().pump == Pump(start=hour + 4 * HOUR, end=hour + 8 * HOUR, of_ten=9, limit=1.0)
    later = NOW + 15 * MINUTE
    run(mirroring, situation(state(later, 3.0), forecasts=(ebb(),)), later)
    old, new = grafana.sent[1]
    assert (old.pump, new.pump.start) == (NO_PUMP, hour + 4 * HOUR)


def test_a_new_forecast_moves_the_hours_of_a_row_that_stands() -> None:
    """The same reading, another issue: the row is written again; the same issue sends nothing."""
    grafana = Grafana()
    mirroring = Mirroring(grafana)
    run(mirroring, situation(state(value=1.8), forecasts=(ebb(),)))
    assert run(mirroring, situation(state(value=1.8), forecasts=(ebb(),)), NOW + MINUTE) == 0
    run(mirroring, situation(state(value=1.8), forecasts=(ebb(id=2, low=1.2),)), NOW + 2 * MINUTE)
    assert grafana.newest().pump == NO_PUMP


@pytest.mark.parametrize("flag", [2, 3, 4])
def test_no_hours_without_a_fresh_good_value(flag: int) -> None:
    """A suspect, failed or unjudged reading has none."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state(value=0.2, flag=flag), forecasts=(ebb(),)))
    assert {row.pump for row in grafana.rows.values()} == {NO_PUMP}


def test_no_hours_from_a_forecast_that_is_too_old_before_the_row_ends() -> None:
    """The board cannot tell how old a forecast is: one that is a day old within the hour that the row holds gives none."""
    for issued, some in ((NOW - 23 * HOUR, True), (NOW - 23 * HOUR - MINUTE, False)):
        grafana = Grafana()
        run(Mirroring(grafana), situation(state(value=0.2), forecasts=(ebb(issued=issued),)))
        assert (grafana.newest().pump != NO_PUMP) == some


def test_no_hours_without_a_forecast() -> None:
    """Fresh and good, and nothing ahead is known."""
    grafana = Grafana()
    run(Mirroring(grafana), situation(state(value=0.2)))
    assert grafana.newest().pump == NO_PUMP
