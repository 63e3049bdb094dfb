"""The Forecasts port over SQL: appended once, read as issued, refused where an array is no forecast."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from adapters.sql import SqlDatabase, open_database
from adapters.sql.forecasts import _short
from core.errors import ConflictError
from core.forecast import HINDCAST, HOUR_MS, WITHDRAWN, Forecast, Reason

T0 = 1_772_000_000_000


def forecast(
    at: int = 0, *, station: str = "kenh-lau", point: str = "main", target: str = "hour", model: str = "persistence", version: str = "1", leads: int = 3
) -> Forecast:
    return Forecast(
        org="default",
        station=station,
        point=point,
        target=target,
        model=model,
        version=version,
        issued_at=T0 + at,
        data_until=T0 + at - 5,
        inputs="abc",
        leads=tuple(range(1, leads + 1)),
        times=tuple(T0 + i * HOUR_MS for i in range(1, leads + 1)),
        quantiles=((0.1, 0.25, 0.5, 1.0, 2.5),) * leads,
        p_gt=((0.9, 0.5, 0.12, 0.0),) * leads,
    )


def issue(database: SqlDatabase, *forecasts: Forecast) -> int:
    return asyncio.run(database.issue(forecasts))


def all_of(database: SqlDatabase) -> list[Forecast]:
    return asyncio.run(database.forecasts_after(0, limit=10_000))


def test_read_as_issued(url: str, database: SqlDatabase) -> None:
    """Every field comes back, with an id, after a restart too; numpy's numbers are numbers."""
    two = (forecast(), forecast(HOUR_MS, leads=72))
    numpy = replace(
        two[1],
        leads=tuple(np.arange(1, 73)),
        times=tuple(np.array(two[1].times)),
        quantiles=tuple(map(tuple, np.array(two[1].quantiles))),
        p_gt=tuple(map(tuple, np.array(two[1].p_gt))),
    )
    assert issue(database, two[0], numpy) == 2
    again = open_database(url)
    assert all_of(again) == [replace(f, id=n) for n, f in enumerate(two, 1)]
    again.close()


def test_reasons_and_missing_come_back(url: str, database: SqlDatabase) -> None:
    """What moved it and which drivers were silent stand in the row, in their order; rows of before 0004 have none."""
    told = (Reason(code="driver", name="discharge", effect=np.float64(-0.123456), lead=7), Reason(code="tide", effect=0.5, lead=1))
    issue(database, replace(forecast(), reasons=told, missing=("wind", "rain")), forecast(1))
    first, second = all_of(database)
    assert first.reasons == (replace(told[0], effect=-0.12346), told[1])
    assert first.missing == ("wind", "rain")
    assert (second.reasons, second.missing) == ((), ())
    engine = create_engine(url)
    with engine.begin() as db:
        names = "id, org, station, point, target, model, version, issued_at, data_until, inputs, leads, times, quantiles, p_gt"
        selected = names.replace("id", "9", 1).replace("issued_at", "issued_at + 9")
        db.execute(text(f"INSERT INTO forecast_issue ({names}) SELECT {selected} FROM forecast_issue LIMIT 1"))
    engine.dispose()
    old = all_of(database)[-1]
    assert (old.id, old.reasons, old.missing) == (9, (), ())


@pytest.mark.parametrize("reason", [Reason(code="luck", effect=1.0, lead=1), Reason(code="tide", effect=math.nan, lead=1)])
def test_what_is_no_reason_is_refused(database: SqlDatabase, reason: Reason) -> None:
    """A code nobody knows the words of, or no number."""
    with pytest.raises(ConflictError, match="is no reason"):
        issue(database, replace(forecast(), reasons=(reason,)))


def test_the_same_issue_twice_changes_nothing(database: SqlDatabase) -> None:
    """Known by station, point, target, model, version and issue time: the first one stands, whatever the second says."""
    assert issue(database, forecast()) == 1
    kept = all_of(database)
    other = replace(forecast(), p_gt=((0.0,) * 4,) * 3, data_until=1)
    assert issue(database, other, other) == 0
    assert all_of(database) == kept
    others = [forecast(1), *(forecast(**{name: "other"}) for name in ("station", "point", "target", "model", "version"))]  # type: ignore[arg-type]  # values of several types
    assert issue(database, *others, other) == 6
    assert len(all_of(database)) == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"leads": (), "times": (), "quantiles": (), "p_gt": ()},
        {"leads": (1, 2)},
        {"times": ()},
        {"quantiles": ((1.0,) * 5,) * 2},
        {"p_gt": ((0.5,) * 4,) * 4},
        {"quantiles": ((1.0,) * 4,) * 3},
        {"p_gt": ((0.5,) * 5,) * 3},
        *({"quantiles": ((1.0,) * 5, (1.0, 1.0, bad, 1.0, 1.0), (1.0,) * 5)} for bad in (math.nan, math.inf, -math.inf)),
        *({"p_gt": ((0.5,) * 4, (0.5,) * 4, (0.5, 0.5, 0.5, bad))} for bad in (math.nan, math.inf, 1.01, -0.1)),
    ],
)
def test_what_is_no_forecast_is_refused(database: SqlDatabase, changes: dict[str, object]) -> None:
    """Empty arrays, lengths that differ, what is no number or no probability: ConflictError, and nothing of the call is kept."""
    with pytest.raises(ConflictError, match="kenh-lau/main, hour by persistence"):
        issue(database, forecast(1), replace(forecast(), **changes))  # type: ignore[arg-type]  # values of several types
    assert all_of(database) == []
    assert asyncio.run(database.latest_forecasts(target="hour")) == []


def test_latest(database: SqlDatabase) -> None:
    """The newest issue per station and point of one target; of one station; as it stood at a time."""
    issue(
        database,
        forecast(20),
        forecast(10),
        forecast(5, point="in"),
        forecast(7, station="ba-co"),
        forecast(99, target="day_max"),
    )
    issue(database, forecast(20, model="other"), forecast(15))

    def latest(target: str = "hour", station: str | None = None, until: int | None = None) -> list[tuple[str, str, int, str]]:
        found = asyncio.run(database.latest_forecasts(target=target, station=station, until=None if until is None else T0 + until))
        return [(f.station, f.point, f.issued_at - T0, f.model) for f in found]

    ba_co, inside = ("ba-co", "main", 7, "persistence"), ("kenh-lau", "in", 5, "persistence")
    assert latest() == [ba_co, inside, ("kenh-lau", "main", 20, "other")], "of two issued at once the later row"
    assert latest(station="ba-co") == [ba_co]
    assert latest(until=19) == [ba_co, inside, ("kenh-lau", "main", 15, "persistence")]
    assert latest(until=20) == latest(), "at is included"
    assert latest(until=6) == [inside]
    assert latest(until=4) == []
    assert latest("day_max") == [("kenh-lau", "main", 99, "persistence")]
    assert latest("day_min") == []
    assert latest(station="absent") == []


def test_a_hindcast_is_never_the_latest(database: SqlDatabase) -> None:
    """It stands beside the issue of its instant and is found among all; the newest is what was really said, and without any there is none."""
    issue(database, forecast(10), forecast(10, version=f"1{HINDCAST}"), forecast(20, version=f"1{HINDCAST}"), forecast(5, point="in", version=f"2{HINDCAST}"))
    assert [(f.point, f.issued_at - T0, f.hindcast) for f in asyncio.run(database.latest_forecasts(target="hour"))] == [("main", 10, False)]
    assert asyncio.run(database.latest_forecasts(target="hour", until=T0 + 9)) == []
    assert [f.hindcast for f in all_of(database)].count(True) == 3


def test_between(database: SqlDatabase) -> None:
    """since is included and until is not; the oldest first; bounded; one station, point and target alone."""
    issue(database, *(forecast(at) for at in (30, 10, 20)), forecast(15, point="in"), forecast(16, station="ba-co"), forecast(17, target="day_max"))

    def between(**bounds: int) -> list[int]:
        found = asyncio.run(database.forecasts(station="kenh-lau", point="main", target="hour", **bounds))
        return [f.issued_at - T0 for f in found]

    assert between() == [10, 20, 30]
    assert between(since=T0 + 10, until=T0 + 30) == [10, 20]
    assert between(since=T0 + 11) == [20, 30]
    assert between(limit=2) == [10, 20]


def test_after(database: SqlDatabase) -> None:
    """Rising ids in the order of the calls, from the next one on, at most so many."""
    for at in (30, 10, 20):
        issue(database, forecast(at))
    issue(database, forecast(10), forecast(5))
    seen: list[Forecast] = []
    while page := asyncio.run(database.forecasts_after(seen[-1].id if seen else 0, limit=2)):
        assert len(page) <= 2
        seen += page
    assert [f.issued_at - T0 for f in seen] == [30, 10, 20, 5]
    assert [f.id for f in seen] == sorted({f.id for f in seen})


@pytest.mark.parametrize("times", [(5,), (5, 6), (5, 5), (5, 6, 7), (5, 7, 9, 11), (5, 6, 8), (5, 5, 5), (0, 2, 4, 7)])
def test_times_come_back(database: SqlDatabase, times: tuple[int, ...]) -> None:
    """Evenly apart or not."""
    f = replace(forecast(leads=len(times)), times=times)
    issue(database, f)
    assert all_of(database) == [replace(f, id=1)]


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=9))
def test_rounding_keeps_the_order(numbers: list[float]) -> None:
    """Kept to 5 significant digits: what rises still rises, and nothing moves by more than one part in 20,000."""
    short = [_short(x) for x in sorted(numbers)]
    assert short == sorted(short)
    assert all(abs(s - x) <= 5e-5 * abs(x) + 1e-300 for s, x in zip(short, sorted(numbers), strict=True))
    assert json.loads(json.dumps(short)) == short
    assert repr(_short(1.0)) == "1", "a whole number is short"


@pytest.mark.sqlite("it is the size of its file")
def test_an_hour_issue_stays_small(url: str, database: SqlDatabase) -> None:
    """72 leads of numbers with all their digits take at most 6.5 kB on disk: 150 MB for a day of hourly issues of 1,000 stations."""
    rng = np.random.default_rng(5)
    rows = rng.lognormal(0, 1, (72, 5))
    rows.sort(axis=1)
    p = -np.sort(-rng.random((72, 4)), axis=1)
    many = [replace(forecast(i, leads=72), quantiles=tuple(map(tuple, rows)), p_gt=tuple(map(tuple, p))) for i in range(200)]
    path = url.removeprefix("sqlite:///")

    def size() -> int:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return int(db.execute("PRAGMA page_count").fetchone()[0]) * int(db.execute("PRAGMA page_size").fetchone()[0])

    before = size()
    issue(database, *many)
    assert (size() - before) / len(many) < 6500


def test_what_was_issued_by_a_clock_that_was_ahead_is_never_the_latest(database: SqlDatabase) -> None:
    """An issue after which others of earlier times came is passed over, when its own time has come too; seconds, and hindcasts, make none so."""
    for at in (0, 5 * HOUR_MS, 6 * HOUR_MS, HOUR_MS, 2 * HOUR_MS):  # five hours ahead for two issues
        issue(database, forecast(at))

    def latest(until: int | None) -> list[int]:
        return [f.issued_at - T0 for f in asyncio.run(database.latest_forecasts(target="hour", until=None if until is None else T0 + until))]

    assert [latest(until) for until in (0, HOUR_MS, 3 * HOUR_MS, 5 * HOUR_MS, 9 * HOUR_MS, None)] == [[0], [HOUR_MS], *[[2 * HOUR_MS]] * 4]
    issue(database, forecast(7 * HOUR_MS))
    assert latest(None) == [7 * HOUR_MS]
    issue(database, forecast(7 * HOUR_MS - 30_000), forecast(3 * HOUR_MS, version=f"1{HINDCAST}"), forecast(HOUR_MS + 1, point="in"))
    assert latest(None) == [HOUR_MS + 1, 7 * HOUR_MS]


def test_one_that_takes_back_what_was_said_has_no_leads(database: SqlDatabase) -> None:
    """It is the newest from then on, and comes back as it was issued; with leads it is refused, as one without leads is that takes nothing back."""
    nothing = replace(forecast(HOUR_MS, version=f"1{WITHDRAWN}"), leads=(), times=(), quantiles=(), p_gt=())
    assert issue(database, forecast(), nothing) == 2
    assert asyncio.run(database.latest_forecasts(target="hour")) == [replace(nothing, id=2)]
    with pytest.raises(ConflictError):
        issue(database, forecast(version=f"1{WITHDRAWN}"))
