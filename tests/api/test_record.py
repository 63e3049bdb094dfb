"""`/api/v1/record` and `/api/v1/stations/{id}/record`: figures anybody may read, of stations they may see."""

from __future__ import annotations

from typing import Any

from servers.backend import Rig

from core.record import VALUES, Score

PRIVATE = "rieng"


def score(station: str, *, lead: int = 1, line: float = VALUES, bin: int = 0, n: int = 30, **more: Any) -> Score:
    facts = {"point": "main", "target": "day_max", "model": "persistence", "month": 202603} | more
    return Score(station=station, lead=lead, line=line, bin=bin, n=n, **facts)


def keep(rig: Rig, *scores: Score) -> None:
    rig.run(lambda: rig.backend.records.add_scores(scores, name="t", was=0, value=1))


def read(rig: Rig, path: str, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/{path}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_nothing_is_over_yet(rig: Rig) -> None:
    """A new installation has an empty record, not an error."""
    assert read(rig, "record") == read(rig, "stations/kenh-lau/record") == {"items": [], "next": None}


def test_the_shape(rig: Rig) -> None:
    """Counts, rates and the tenths of each line; months are added up."""
    sums = {"said": 24.0, "events": 27, "squares": 3.0, "right": 27, "known": 30, "squares_known": 3.0, "squares_reference": 6.0}
    sums |= {"compared": 30, "squares_compared": 3.0, "squares_persistence": 5.0}
    keep(
        rig,
        score("kenh-lau", missing=2, inside=28, within=30, error=6.0),
        score("kenh-lau", n=10, inside=8, error=2.0, month=202604),
        score("kenh-lau", line=1.0, bin=8, **sums),
        score("kenh-lau", line=4.0, bin=0, n=3),
    )
    [found] = read(rig, "stations/kenh-lau/record")["items"]
    assert {k: found[k] for k in ("station", "point", "target", "model", "lead", "unit", "n", "missing")} == {
        "station": "kenh-lau",
        "point": "main",
        "target": "day_max",
        "model": "persistence",
        "lead": 1,
        "unit": "g/L",
        "n": 40,
        "missing": 2,
    }
    assert (found["inside_90"], found["mean_absolute_error"]) == (0.9, 0.2)
    one = found["lines"]["1"]
    assert {k: one[k] for k in ("n", "events", "right", "brier", "skill")} == {"n": 30, "events": 27, "right": 0.9, "brier": 0.1, "skill": 0.5}
    assert {k: one[k] for k in ("warned", "hits", "hit_rate", "false_alarm_ratio")} == {"warned": 30, "hits": 27, "hit_rate": 1.0, "false_alarm_ratio": 0.1}
    assert (one["skill_persistence"], found["within_30pct"]) == (0.4, 0.75)
    assert [(t["n"], t["said"], t["came"]) for t in one["reliability"]] == [(30, 0.8, 0.9)]
    assert (found["lines"]["4"]["n"], found["lines"]["4"]["right"], found["lines"]["0.5"]["n"]) == (3, None, 0)


def test_the_next_hours_and_crops_limits(rig: Rig) -> None:
    """`max_6h`, `max_24h`: what was said of the highest of the next hours; rates from 20 of them that do not overlap on; no value, so no error of one."""
    facts = {"target": "max_6h", "lead": 6}
    keep(
        rig,
        score("kenh-lau", n=480, missing=3, **facts),
        *(score("kenh-lau", line=line, bin=7, n=480, said=350.0, events=360, right=360, **facts) for line in (1.0, 0.8)),
    )
    [found] = read(rig, "record?target=max_6h")["items"]
    assert [found] == read(rig, "stations/kenh-lau/record?target=max_6h")["items"]
    assert (found["lead"], found["n"], found["missing"], found["inside_90"], found["mean_absolute_error"]) == (6, 480, 3, None, None)
    assert list(found["lines"]) == ["0.5", "1", "2", "4", "0.8"]
    one = found["lines"]["0.8"]
    assert (one["right"], one["hit_rate"], one["skill"], one["skill_persistence"]) == (0.75, 1.0, None, None)
    [tenth] = one["reliability"]
    assert (tenth["n"], tenth["came"]) == (480, 0.75)
    assert tenth["came_hi"] - tenth["came_lo"] > 0.17, "of 80 independent ones, not of 480"
    assert read(rig, "record?target=max_24h")["items"] == []


def test_private_stations_are_not_there_for_strangers(rig: Rig) -> None:
    """What a caller does not see has no record, in the list and by name; who sees it reads it."""
    keep(rig, score("kenh-lau"), score(PRIVATE))
    assert {r["station"] for r in read(rig, "record")["items"]} == {"kenh-lau"}
    assert rig.get(f"/api/v1/stations/{PRIVATE}/record").status_code == 404
    assert {r["station"] for r in read(rig, "record", as_="minh")["items"]} == {"kenh-lau", PRIVATE}
    assert len(read(rig, f"stations/{PRIVATE}/record", as_="minh")["items"]) == 1


def test_leads_targets_and_pages(rig: Rig) -> None:
    """The list tells 1, 3, 7 and 14 days, a station all; pages of one station each give everybody once."""
    keep(
        rig,
        *(score("kenh-lau", lead=lead) for lead in range(1, 15)),
        score("cai-lon", point="in"),
        score("kenh-lau", lead=24, target="hour"),
    )
    assert [r["lead"] for r in read(rig, "record")["items"] if r["station"] == "kenh-lau"] == [1, 3, 7, 14]
    assert len(read(rig, "stations/kenh-lau/record")["items"]) == 14
    assert [r["lead"] for r in read(rig, "record?target=hour")["items"]] == [24]
    found, onward = [], ""
    while onward is not None:
        page = read(rig, f"record?limit=1{onward and f'&next={onward}'}")
        found += [r["station"] for r in page["items"]]
        onward = page["next"]
    assert found == ["cai-lon", *["kenh-lau"] * 4]
    assert rig.get("/api/v1/record?target=week").status_code == 422
