"""`/record.csv`: every issue of days with its outcome, of the stations a reader may see; nothing made afterwards."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from servers.backend import DAY_MS, NOW, Rig, forecast

from analytics.both_sides import tell
from analytics.hours_ahead import said, window
from api.web.pages import record_csv
from core.bands import LINES
from core.clock import rfc3339
from core.forecast import HINDCAST, HOUR_MS
from core.record import Anew, Day


def read(rig: Rig, query: str = "", as_: str = "") -> list[dict[str, str]]:
    answer = rig.get(f"/record.csv{query}", as_=as_)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_what_was_issued_and_what_came(rig: Rig) -> None:
    """One row per issue and day ahead: scored, missing, or still to come."""
    first, second = rig.run(lambda: rig.backend.forecasts.forecasts(station="kenh-lau", point="main", target="day_max"))
    day = Day(station="kenh-lau", point="main", target="day_max", time=first.times[0], model="persistence", said=first.p_gt[0], came=1.25)
    days = [day, replace(day, time=first.times[1], came=None), replace(day, target="day_min", came=0.5), replace(day, station="rieng")]
    rig.run(lambda: rig.backend.records.add_scores([], days, name="t", was=0, value=1))
    found = read(rig, "?station=kenh-lau")
    assert len(found) == 28
    assert [(r["lead_days"], r["outcome"], r["observed"]) for r in found[:3]] == [("1", "scored", "1.25"), ("2", "missing", ""), ("3", "waiting", "")]
    assert (found[14]["lead_days"], found[14]["valid"], found[14]["outcome"]) == ("1", found[1]["valid"], "missing")
    one = found[0]
    assert (one["station"], one["point"], one["model"], one["q50"], one["p_gt_0.5"], one["p_gt_4"]) == (
        "kenh-lau",
        "main",
        "persistence",
        "0.2",
        "0.02",
        "0.02",
    )
    assert one["issued"] < found[14]["issued"]
    assert (read(rig, "?station=kenh-lau&target=day_min")[0]["observed"], second.issued_at > first.issued_at) == ("0.5", True)
    assert rig.get("/record.csv?target=hour").status_code == 422


def test_what_was_said_of_the_next_hours(rig: Rig) -> None:
    """One row an issue of hours, with its window and what the verdict made of it; none of before the first that is scored, none of a hindcast."""
    later = [replace(forecast("kenh-lau", "main", "hour", 1.0, NOW + n * HOUR_MS), model="m") for n in range(3)]
    rig.run(lambda: rig.backend.forecasts.issue([*later, replace(later[2], version=f"1{HINDCAST}")]))
    rig.clock.now = NOW + 2 * HOUR_MS
    start, end = window(later[1], "max_6h")
    day = Day(station="kenh-lau", point="main", target="max_6h", time=start, model="m", said=(0.1,) * 4, came=1.25)
    assert read(rig, "?station=kenh-lau&target=max_6h") == []
    rig.run(lambda: rig.backend.records.add_scores([], [day], name="t", was=0, value=1))
    found = read(rig, "?station=kenh-lau&target=max_6h")
    assert [(r["issued"], r["outcome"], r["observed"]) for r in found] == [
        (rfc3339(later[1].issued_at), "scored", "1.25"),
        (rfc3339(later[2].issued_at), "waiting", ""),
    ]
    assert (found[0]["from"], found[0]["until"], found[0]["target"]) == (rfc3339(start), rfc3339(end), "max_6h")
    assert [float(found[0][f"p_gt_{line:g}"]) for line in LINES] == pytest.approx(said(later[1], "max_6h", LINES), abs=1e-4)
    assert read(rig, "?station=kenh-lau&target=max_24h") == []


def test_of_all_stations_and_of_one(rig: Rig) -> None:
    """Whoever sees no private station finds none; it is a file with a name."""
    hidden = replace(forecast("rieng", "main", "day_max", 1.0, NOW - 5 * HOUR_MS, org="longmy"), inputs="x")
    rig.run(lambda: rig.backend.forecasts.issue([hidden]))
    assert {r["station"] for r in read(rig)} == {"kenh-lau", "cai-lon"}
    assert {r["station"] for r in read(rig, as_="minh")} == {"kenh-lau", "cai-lon", "rieng"}
    assert rig.get("/record.csv?station=rieng").status_code == 404
    assert 'filename="canhman-record-day_max.csv"' in rig.get("/record.csv").headers["content-disposition"]


def test_many_pages_and_no_hindcast(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issues of several models at one time are each there once, however they fall on the reads; what was made afterwards is not."""
    at = NOW - 9 * DAY_MS
    issues = [replace(forecast("kenh-nam", "main", "day_max", 1.0, at + i // 3 * DAY_MS, leads=1), model=f"m{i % 3}") for i in range(9)]
    issues.append(replace(forecast("kenh-nam", "main", "day_max", 1.0, at + HOUR_MS, leads=1), version=f"1{HINDCAST}"))
    rig.run(lambda: rig.backend.forecasts.issue(issues))
    for size in (4, 5, 100):
        monkeypatch.setattr(record_csv, "ISSUES", size)
        assert sorted(r["model"] for r in read(rig, "?station=kenh-nam")) == ["m0"] * 3 + ["m1"] * 3 + ["m2"] * 3


def test_what_a_clock_ahead_of_time_issued_is_not_told_before_its_time(rig: Rig) -> None:
    """Neither of days nor of hours: to us it has not been said yet."""
    ahead = [replace(forecast("kenh-lau", "main", target, 1.0, NOW + DAY_MS), model="m") for target in ("day_max", "hour")]
    rig.run(lambda: rig.backend.forecasts.issue(ahead))
    day = Day(station="kenh-lau", point="main", target="max_6h", time=0, model="m", said=(0.1,) * 4, came=1.25)
    rig.run(lambda: rig.backend.records.add_scores([], [day], name="t", was=0, value=1))
    for query in ("", "&target=max_6h"):
        found = read(rig, f"?station=kenh-lau{query}")
        assert found
        assert {r["model"] for r in found} == {"persistence"}
    only = replace(ahead[0], station="cai-lon", model="m")
    rig.run(lambda: rig.backend.forecasts.issue([only]))
    assert "m" not in {r["model"] for r in read(rig, "?station=cai-lon")}
    rig.clock.now = NOW + DAY_MS
    assert "m" in {r["model"] for r in read(rig, "?station=kenh-lau")}


def test_sides_of_a_sluice(rig: Rig) -> None:
    """A row for each side told at an issue, with the hours on both sides: scored, missing on one of them, waiting; none of before what is scored."""
    inside, outside = (replace(forecast("kenh-lau", p, "hour", level, NOW), model="m") for p, level in (("in", 0.9), ("out", 0.3)))
    rig.run(lambda: rig.backend.forecasts.issue([inside, outside]))
    [told] = tell([inside], [outside], since=0, until=NOW + 1)
    [side] = told.sides
    assert read(rig, "?station=kenh-lau&target=sluice") == []
    one = Day(station="kenh-lau", point="in", target="sluice_in", time=side.best - HOUR_MS, model="", said=(), came=0.8)
    rows = [one, replace(one, target="sluice_out", came=None)]
    rig.run(lambda: rig.backend.records.add_scores([], rows, name="t", was=0, value=1))
    [row] = read(rig, "?station=kenh-lau&target=sluice")
    assert (row["target"], row["better"], row["outcome"], row["was_so"]) == ("sluice_open", "open", "waiting", "")
    assert (row["best"], row["issued"], float(row["p_at_least"])) == (rfc3339(side.best), rfc3339(NOW), pytest.approx(side.p, abs=1e-5))
    pair = [replace(d, time=side.best) for d in rows]
    rig.run(lambda: rig.backend.records.add_scores([], pair, name="t", was=1, value=2))
    [row] = read(rig, "?station=kenh-lau&target=sluice")
    assert (row["outcome"], row["inside"], row["outside"], row["was_so"]) == ("missing", "0.8", "", "")
    anew = Anew(station="kenh-lau", point="in", time=0, month=0)
    rig.run(lambda: rig.backend.records.add_scores([], [pair[0], replace(pair[1], came=0.25)], name="t", was=2, value=2, anew=anew))
    [row] = read(rig, "?station=kenh-lau&target=sluice")
    assert (row["outcome"], row["inside"], row["outside"], row["was_so"]) == ("scored", "0.8", "0.25", "1")
