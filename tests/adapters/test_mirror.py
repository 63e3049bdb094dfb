"""The mirror for Grafana: what was issued and what is wrong, read back from a real InfluxDB by plain InfluxQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.influx_world import rows, store_on
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from adapters.influx_mirror import alert_lines, forecast_lines, send_rows
from adapters.memory_store import MemoryStore
from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from adapters.sqlite_store import SqliteStore
from core.alert import Alert
from core.board import TakenBack, forecast_rows
from core.errors import UnavailableError
from core.forecast import Forecast
from core.instant import parse_rfc3339
from core.ports import Mirror

HOUR = 3_600_000
DAY = 24 * HOUR
ISSUED = parse_rfc3339("2026-03-02T05:00:00+07:00") or 0
MIDNIGHT = parse_rfc3339("2026-03-03T00:00:00+07:00") or 0  # the day after the issue's

_numbers = itertools.count()


def days(*, later: int = 0, offset: float = 0.0, target: str = "day_max", model: str = "persistence") -> Forecast:
    """Fourteen days, issued `later` days after the first."""
    leads = tuple(range(1, 15))
    return Forecast(
        org="default",
        station="kl-01",
        point="main",
        target=target,
        model=model,
        version="1",
        issued_at=ISSUED + later * DAY,
        data_until=ISSUED + later * DAY - 60_000,
        inputs="abc",
        leads=leads,
        times=tuple(MIDNIGHT + (later + lead - 1) * DAY for lead in leads),
        quantiles=tuple((offset + lead, offset + lead + 0.25, offset + lead + 0.5, offset + lead + 0.75, offset + lead + 1.0) for lead in leads),
        p_gt=tuple((0.9, 0.8, 0.5, 0.01 * lead) for lead in leads),
    )


def alert(**change: Any) -> Alert:
    """An open alert about 4 g/L."""
    whole = Alert(
        id=7,
        org="default",
        station="kl-01",
        point="main",
        kind="observed",
        line=4.0,
        level=4,
        state="open",
        opened_at=ISSUED,
        updated_at=ISSUED + HOUR,
        value=4.5,
        time=ISSUED,
    )
    return replace(whole, **change)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


class World:
    """A store on a database of its own, written through v1's or v2's API, and plain InfluxQL on what stands there."""

    def __init__(self, influxd: InfluxD, store: InfluxStore, name: str) -> None:
        self.store = store
        self._influxd = influxd
        self._name = name

    def mirror(self, *forecasts: Forecast) -> None:
        asyncio.run(self.store.mirror_forecasts(forecasts))

    def alerts(self, *alerts: Alert) -> None:
        asyncio.run(self.store.mirror_alerts(alerts))

    def ask(self, q: str) -> list[dict[str, Any]]:
        """The rows of all series, as dicts."""
        return rows(self._influxd, q, self._name)


@pytest.fixture(params=["v1", "v2"])
def world(request: pytest.FixtureRequest, influxd: InfluxD) -> Iterator[World]:
    name = f"mirror{next(_numbers)}"
    with store_on(influxd, request.param, name) as store:
        yield World(influxd, store, name)


@pytest.mark.servers
def test_fourteen_days_are_read_back(world: World) -> None:
    """`latest` holds all leads at the start of their days, with floats, `issued` as an integer and the model's name."""
    world.mirror(days())
    rows = world.ask('SELECT * FROM "forecast" WHERE "lead" = \'latest\' AND "target" = \'day_max\'')
    assert [r["time"] for r in rows] == list(days().times)
    assert [r["q50"] for r in rows] == [lead + 0.5 for lead in range(1, 15)]
    assert {k: rows[0][k] for k in ("q05", "q25", "q75", "q95", "p_gt_0_5", "p_gt_1", "p_gt_2", "p_gt_4")} == {
        "q05": 1.0,
        "q25": 1.25,
        "q75": 1.75,
        "q95": 2.0,
        "p_gt_0_5": 0.9,
        "p_gt_1": 0.8,
        "p_gt_2": 0.5,
        "p_gt_4": 0.01,
    }
    assert {(r["org"], r["station"], r["point"], r["issued"], r["model"]) for r in rows} == {("default", "kl-01", "main", ISSUED, "persistence")}
    types = {r["fieldKey"]: r["fieldType"] for r in world.ask('SHOW FIELD KEYS FROM "forecast"')}
    assert types.pop("issued") == "integer"
    assert types.pop("model") == "string"
    assert set(types.values()) == {"float"}
    assert {r["tagKey"] for r in world.ask('SHOW TAG KEYS FROM "forecast"')} == {"org", "station", "point", "target", "lead"}


@pytest.mark.servers
def test_the_newest_issue_is_the_latest_and_the_leads_keep_the_earlier_ones(world: World) -> None:
    """Of two issues, `latest` shows the second where it reaches and the first where it is past; d03 holds both."""
    first, second = days(), days(later=1, offset=20.0)
    world.mirror(first)
    world.mirror(second)
    rows = world.ask('SELECT "q05", "issued" FROM "forecast" WHERE "lead" = \'latest\'')
    assert [(r["q05"], r["issued"]) for r in rows] == [(1.0, first.issued_at), *((20.0 + lead, second.issued_at) for lead in range(1, 15))]
    newest = world.ask(f'SELECT "q05" FROM "forecast" WHERE "lead" = \'latest\' AND "issued" = {second.issued_at}')
    assert [r["time"] for r in newest] == list(second.times)
    for lead in (1, 3, 7, 14):
        kept = world.ask(f'SELECT "q05" FROM "forecast" WHERE "lead" = \'d{lead:02d}\'')
        assert [(r["time"], r["q05"]) for r in kept] == [(first.times[lead - 1], float(lead)), (second.times[lead - 1], 20.0 + lead)]
    assert {r["lead"] for r in world.ask('SELECT "q05" FROM "forecast" GROUP BY "lead"')} == {"latest", "d01", "d03", "d07", "d14"}


@pytest.mark.servers
def test_what_was_taken_back_is_marked_and_nothing_is_deleted(world: World) -> None:
    """Its rows have `issued` 0, as often as it is told, and keep their numbers; a later issue stands where it speaks."""
    first = days()
    marks = tuple(forecast_rows(first.target, first.leads, first.times))
    taken_back = TakenBack(org="default", station="kl-01", point="main", target="day_max", rows=marks)
    world.mirror(first, taken_back)
    world.mirror(taken_back)
    assert world.ask('SELECT "q05" FROM "forecast" WHERE "issued" > 0') == []
    rows = world.ask('SELECT "q05", "issued", "model" FROM "forecast" WHERE "lead" = \'latest\'')
    assert [(r["q05"], r["issued"], r["model"]) for r in rows] == [(float(lead), 0, "persistence") for lead in first.leads]
    assert len(world.ask('SELECT "q05" FROM "forecast" WHERE "issued" = 0')) == 14 + 4
    types = {r["fieldKey"]: r["fieldType"] for r in world.ask('SHOW FIELD KEYS FROM "forecast"')}
    assert types["issued"] == "integer"
    second = days(later=1, offset=20.0)
    world.mirror(second)
    stands = world.ask('SELECT "q05" FROM "forecast" WHERE "lead" = \'latest\' AND "issued" > 0')
    assert [(r["time"], r["q05"]) for r in stands] == [(t, q[0]) for t, q in zip(second.times, second.quantiles, strict=True)]


@pytest.mark.servers
def test_the_same_again_changes_nothing_and_hours_have_no_day_leads(world: World) -> None:
    """Mirroring is an upsert; an hour forecast stands under `latest` alone."""
    hours = replace(days(target="hour"), times=tuple(ISSUED + n * HOUR for n in range(14)))
    world.mirror(hours, hours)
    world.mirror(hours)
    assert [r["lead"] for r in world.ask('SELECT "q05" FROM "forecast" GROUP BY "lead"')] == ["latest"] * 14


@pytest.mark.servers
def test_an_alert_is_one_point_at_each_change(world: World) -> None:
    """Line as a tag where there is one, level integer, state string, value and p floats where present."""
    world.alerts(alert(), alert(line=0.5, level=1, kind="forecast", p=0.7, value=None))
    world.alerts(alert(state="cleared", updated_at=ISSUED + 3 * HOUR, value=3.0), alert(line=None, kind="silent", level=0, value=None))
    rows = world.ask('SELECT "level", "state", "value", "p" FROM "alert" GROUP BY "kind", "line"')
    assert sorted((r["kind"], r["line"], r["time"], r["level"], r["state"], r["value"], r["p"]) for r in rows) == [
        ("forecast", "0.5", ISSUED + HOUR, 1, "open", None, 0.7),
        ("observed", "4", ISSUED + HOUR, 4, "open", 4.5, None),
        ("observed", "4", ISSUED + 3 * HOUR, 4, "cleared", 3.0, None),
        ("silent", "", ISSUED + HOUR, 0, "open", None, None),
    ]
    assert {r["fieldKey"]: r["fieldType"] for r in world.ask('SHOW FIELD KEYS FROM "alert"')} == {
        "level": "integer",
        "state": "string",
        "value": "float",
        "p": "float",
    }


@pytest.mark.servers
def test_strange_text_comes_back_as_it_was(world: World) -> None:
    """Spaces, commas and quotes in tags and strings are escaped; an issue with a line break is told of, and its neighbours are written."""
    odd = replace(days(model='say "x" \\ y'), station="a b,c=d")
    world.mirror(odd)
    rows = world.ask('SELECT "model" FROM "forecast" WHERE "lead" = \'latest\' GROUP BY "station"')
    assert {(r["station"], r["model"]) for r in rows} == {("a b,c=d", 'say "x" \\ y')}
    (lost,) = asyncio.run(world.store.mirror_forecasts([replace(days(), station="before"), days(model="a\nb"), replace(days(), station="after")]))
    assert lost.row == 1
    assert "line break" in lost.text
    assert {r["station"] for r in world.ask('SELECT "model" FROM "forecast" GROUP BY "station"')} == {"a b,c=d", "before", "after"}


@pytest.mark.servers
def test_two_issues_of_fourteen_days_from_the_database_and_the_latest_from_influxdb(world: World, tmp_path: Path) -> None:
    """The database gives two issues of 14 days back as two; InfluxDB shows the second's fourteen as the latest."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    prepare(url)
    db = open_database(url)
    try:
        first, second = days(), days(later=1, offset=2.0)
        assert asyncio.run(db.issue([first])) == 1
        assert asyncio.run(db.issue([second])) == 1
        kept = asyncio.run(db.forecasts(station="kl-01", point="main", target="day_max"))
        assert [replace(f, id=0) for f in kept] == [first, second]
        world.mirror(*asyncio.run(db.forecasts_after(0)))
    finally:
        db.close()
    newest = world.ask('SELECT last("issued") AS "issued" FROM "forecast" WHERE "lead" = \'latest\'')[0]["issued"]
    shown = world.ask(f'SELECT "q50" FROM "forecast" WHERE "lead" = \'latest\' AND "issued" = {newest}')
    assert [(r["time"], r["q50"]) for r in shown] == [(t, q[2]) for t, q in zip(second.times, second.quantiles, strict=True)]


@pytest.mark.servers
def test_a_server_that_is_away_says_so(world: World, influxd: InfluxD) -> None:
    """UnavailableError, and the same again once it is back."""
    influxd.stop()
    try:
        with pytest.raises(UnavailableError):
            world.mirror(days())
    finally:
        influxd.start()
    world.mirror(days())
    assert len(world.ask('SELECT "q05" FROM "forecast" WHERE "lead" = \'latest\'')) == 14


@pytest.mark.parametrize("make", [lambda folder: MemoryStore(), lambda folder: SqliteStore(folder / "series.db")], ids=["memory", "sqlite"])
def test_other_stores_take_nothing(make: Callable[[Path], Mirror], tmp_path: Path) -> None:
    """They accept both and hold no trace of it."""
    store = make(tmp_path)
    asyncio.run(store.mirror_forecasts([days()]))
    asyncio.run(store.mirror_alerts([alert()]))
    assert list(tmp_path.iterdir()) == []


def test_many_lines_go_in_several_bodies() -> None:
    """A round of a thousand points is not one body; every line is sent once, in order."""

    class Spy:
        bodies: list[bytes]

        def __init__(self) -> None:
            self.bodies = []

        def send(self, body: bytes) -> Any:
            self.bodies.append(body)
            return type("Answer", (), {"status": 204, "text": "", "page": False})()

        def create(self) -> None: ...

        def close(self) -> None: ...

    spy = Spy()
    forecasts = [replace(days(), station=f"s{n}") for n in range(700)]
    assert send_rows(spy, forecasts, forecast_lines, "here", "canhman") == []
    sent = [line for body in spy.bodies for line in body.decode().split("\n")]
    assert sent == [line for f in forecasts for line in forecast_lines(f)]
    assert len(spy.bodies) > 1
    assert max(map(len, spy.bodies)) < 2_000_000


def test_lines_as_text() -> None:
    """One line of each kind, as it is sent."""
    assert list(alert_lines(alert(p=0.25))) == [
        f'alert,kind=observed,line=4,org=default,point=main,station=kl-01 level=4i,state="open",value=4.5,p=0.25 {ISSUED + HOUR}'
    ]
    first = next(forecast_lines(days()))
    assert first == (
        "forecast,lead=latest,org=default,point=main,station=kl-01,target=day_max q05=1.0,q25=1.25,q50=1.5,q75=1.75,q95=2.0,"
        f'p_gt_0_5=0.9,p_gt_1=0.8,p_gt_2=0.5,p_gt_4=0.01,issued={ISSUED}i,model="persistence" {MIDNIGHT}'
    )
