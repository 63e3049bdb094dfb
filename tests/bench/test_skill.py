"""The page of skill: the same code on a made set writes a page of the same form, and docs/skill.md says what docs/skill.json says."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sets import DRIVERS, HEAD, LONG, season, without

from analytics.daily.model import day_models
from analytics.hourly.model import LEADS, HourModel, SaidHours
from analytics.hourly.panel import Floats, Hourly, Index
from bench.skill import goals, work
from bench.skill.checks import Check
from bench.skill.goals import Goals
from bench.skill.page import BEGINS, ENDS, PAGE, every_check, page, pages, readme
from bench.skill.parts import Plan, parts
from bench.skill.store import ROOT, Store
from core.bands import LINES

DOCS = ROOT / "docs"
LOW, HIGH = (0.0, 99.0), (-9.0, None)  # floors that anything reaches, of errors and of skill
HELD = Goals(
    rmse={1: (99.0, 98.0), 3: (99.0, None)},
    skill={1.0: {1: HIGH, 3: HIGH}, 4.0: {1: HIGH}},
    coverage=(0.0, 1.0),
    station_coverage=(0.0, 1.0),
    nse={3: HIGH},
    nse_excused=("an",),
)
MADE = {"made": HELD}


@dataclass(frozen=True)
class AsNow:
    """A model of hours that needs no learning: all hours ahead are as the last reading, more or less."""

    learned: Hourly

    def _now(self, hourly: Hourly, hour: Index, station: Index) -> Floats:
        rows = np.maximum(hour[:, None] - 1 - np.arange(6), 0)
        part = hourly.value[rows, station[:, None]]
        first = np.isfinite(part).argmax(axis=1)
        return part[np.arange(len(part)), first]

    def say(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int] = LEADS) -> SaidHours:
        now = self._now(hourly, hour, station)[:, None, None] + np.zeros((1, len(leads), 1))
        p = np.where(np.isfinite(now), 1 / (1 + np.exp(np.array(LINES) - now)), np.nan)
        return SaidHours(quantiles=now + np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), p_gt=p)

    def p_le(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int], limit: float) -> Floats:
        now = self._now(hourly, hour, station)[:, None] + np.zeros((1, len(leads)))
        found: Floats = 1 / (1 + np.exp(9 * (now - limit)))
        return found


def plan(folder: Path, model: str = "logistic") -> Plan:
    """Two sets of one season: with drivers, and the daily minimum."""
    season(165).write(folder)
    head = without(HEAD, {"2021-04-30": "2021-03-20", "2021-05-01": "2021-03-21"})
    (folder / "made.toml").write_text(head + LONG + DRIVERS, "utf-8")
    (folder / "min.toml").write_text(head.replace('"made"', '"made, minimum"') + LONG + 'daily = "min"\nstations = ["an", "cai"]\n', "utf-8")
    sets = {"made": folder / "made.toml", "min": folder / "min.toml"}
    by_hours = HourModel(name="now", version="1", fit=AsNow)
    one = day_models()[model]
    return Plan(sets=sets, whole=MADE, left_out="made", hours="made", data=folder, model=one, hour_model=by_hours, costs=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made data, and what was kept of its parts."""
    return tmp_path_factory.mktemp("skill")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What the command gathers."""
    made = plan(folder)
    gathered = work.gathered(made, work.work(parts(made), Store(folder=folder / "kept"), lambda name, seconds: None))
    json.dumps(gathered, allow_nan=False)
    return gathered


def headings(text: str) -> list[str]:
    return re.findall(r"^##? .*$", text, re.MULTILINE)


# ------------------------------------------------------------ the same form


def test_a_page_of_a_made_set(found: dict[str, Any]) -> None:
    """All that the page tells of: plain words in both languages, floors, values, odds, stations, limits, pictures, left out, baselines, weaknesses."""
    files = pages(found, MADE)
    text = files[PAGE]
    assert headings(text) == [
        "# How good the forecasts are",
        "## In plain words",
        "## What was promised",
        "## made",
        "## Stations that were never learned from",
        "## Water windows",
        "## Against each set's own best baseline",
        "## made, minimum",
        "## What is held elsewhere",
        "## Known weaknesses",
        "## How this page is made",
    ]
    pictures = {name for name in files if name.endswith(".svg")}
    assert pictures == set(re.findall(r"\]\((skill/[^)]+)\)", text)) == {"skill/reliability-made-01.svg", "skill/reliability-made-03.svg"}
    dots = [sum(len(over["odds"]) for over in lead["over"]) for lead in leads(found)]
    assert [files[name].count("<circle") for name in sorted(pictures)] == dots
    assert "**Tiếng Việt.**" in text
    assert not re.search(r"\b(nan|inf|None (?!is missed))\b", text)
    assert all(station in text for station in ("| an |", "| binh |", "| cai |"))


def leads(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the set that is held to something."""
    return list(found["sets"]["made"]["leads"])


def test_the_figures_are_those_of_the_backtest(found: dict[str, Any], folder: Path) -> None:
    """What stands in the JSON is what `canhman backtest` scores."""
    from canhman.backtesting import Asked, run

    made = plan(folder)
    asked = Asked(file=made.sets["made"], data=folder, train=None, train_until=None, test_from=None, test_until=None, model=made.model)
    scores = {(s.station, s.lead_days, s.threshold): s for held in run(asked, quiet=True).held for s in held.scores}
    for lead in leads(found):
        pooled = scores["*", lead["lead"], None]
        assert (lead["rmse"][0], lead["nse"][0], lead["coverage90"][0]) == pytest.approx((pooled.rmse, pooled.nse, pooled.coverage90), rel=1e-3)
        for one in lead["stations"]:
            own = scores[one["station"], lead["lead"], None]
            assert (one["n"], one["rmse"][0], one["coverage90"][0]) == pytest.approx((own.n, own.rmse, own.coverage90), rel=1e-3)
        for over in lead["over"]:
            event = scores["*", lead["lead"], over["line"]]
            assert over["skill"] == pytest.approx([event.bss_logistic, event.bss_logistic_lo, event.bss_logistic_hi], rel=1e-3)
            assert sum(b["n"] for b in over["odds"]) == event.n


def test_what_is_kept_is_not_worked_out_again(found: dict[str, Any], folder: Path) -> None:
    """A second run makes nothing and gathers the same; where a file of one set changed, that set alone is made anew."""
    made, store, told = plan(folder), Store(folder=folder / "kept"), []
    again = work.gathered(made, work.work(parts(made), store, lambda name, seconds: told.append(name)))
    assert (told, again) == ([], found)
    made.sets["min"].write_text(made.sets["min"].read_text("utf-8").replace('"made, minimum"', '"another name"'), "utf-8")
    assert [part.name for part in work.waiting(parts(made), store)] == ["min"]
    with (folder / "river.csv").open("a", encoding="utf-8") as file:
        file.write("2022-01-01,900\n")
    assert {part.name for part in work.waiting(parts(made), store)} == {"made", "left_out-an", "left_out-binh", "left_out-cai", "min"}
    (folder / "kept/made.json").write_text("{", "utf-8")  # a machine that lost power
    assert store.get("made", "") is None


# ------------------------------------------------------------ a missed floor is called missed


def reaching(found: dict[str, Any]) -> dict[str, Any]:
    """The same where what is left out and the windows reach every floor."""
    other = copy.deepcopy(found)
    for lead in other["left_out"]["leads"]:
        lead["below"][0] = lead["coverage90"][0] = 0.9
    for one in other["hours"]["windows"]:
        one["precision"] = one["share"] = 0.96
    return other


def worse_rmse(found: dict[str, Any]) -> None:
    found["sets"]["made"]["leads"][0]["rmse"][0] = 99.1


def worse_skill(found: dict[str, Any]) -> None:
    found["sets"]["made"]["leads"][0]["over"][0]["skill"][0] = -9.1


def worse_station(found: dict[str, Any]) -> None:
    found["sets"]["made"]["leads"][1]["stations"][2]["nse"][0] = -9.1


def worse_left_out(found: dict[str, Any]) -> None:
    found["left_out"]["leads"][1]["below"][0] = -0.1


def worse_windows(found: dict[str, Any]) -> None:
    one = next(w for w in found["hours"]["windows"] if (w["hours"], w["cases"]) == (24, "mixed"))
    one["precision"], one["share"] = 0.94, 0.5


def worse_than_a_baseline(found: dict[str, Any]) -> None:
    one = min((b for b in found["sets"]["made"]["leads"][0]["baselines"] if b["measure"] == "value"), key=lambda b: float(b["loss"]))
    one["skill"] = [-0.4, -0.6, -0.2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (worse_rmse, "made, 1 day ahead, RMSE, g/L: 99.100; the floor is ≤ 99.00"),
        (worse_skill, "made, 1 day ahead, skill > 1 g/L: -9.100; the floor is ≥ -9.00"),
        (worse_station, "made, 3 days ahead, NSE, each station but an: cai -9.100"),
        (worse_left_out, "Stations left out, 3 days ahead, RMSE below persistence: -10.0 %; the floor is ≥ 30 %"),
        (worse_windows, "Water windows, 24 h ahead, promised hours that were safe, mixed cases: 0.940; the floor is ≥ 0.95"),
        (worse_than_a_baseline, "made, 1 day ahead, worse than its best baseline beyond chance: value (squared error)"),
    ],
)
def test_a_missed_floor_is_called_missed(found: dict[str, Any], change: Callable[[dict[str, Any]], None], told: str) -> None:
    """One figure falls below its floor: the list of what was missed names it, and the word in its table turns."""
    found = reaching(found)
    before, other = missed(found), copy.deepcopy(found)
    change(other)
    (new,) = set(missed(other)) - set(before)
    assert new.startswith(f"- {told}")
    marked = goals.MISSED if change is not worse_than_a_baseline else "**worse**"
    assert page(other, MADE).count(marked) == page(found, MADE).count(marked) + 1


def missed(found: dict[str, Any]) -> list[str]:
    part = page(found, MADE).partition("## What was promised")[2].partition("## made")[0]
    return re.findall(r"^- .*$", part, re.MULTILINE)


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        (goals.at_least(0.28, 0.28, 0.36), goals.REACHED),
        (goals.at_least(0.2799, 0.28, 0.36), goals.MISSED),
        (goals.at_least(0.36, 0.28, 0.36), goals.AIM),
        (goals.at_most(0.68, 0.68, 0.62), goals.REACHED),
        (goals.at_most(0.6801, 0.68, 0.62), goals.MISSED),
        (goals.at_most(0.62, 0.68, 0.62), goals.AIM),
        (goals.within(0.94, 0.88, 0.94), goals.REACHED),
        (goals.within(0.9401, 0.88, 0.94), goals.MISSED),
        (goals.at_least(None, 0.2), goals.UNKNOWN),
        (goals.within(None, 0.2, 0.3), goals.UNKNOWN),
    ],
)
def test_the_word_for_a_figure(word: str, wanted: str) -> None:
    """At the floor it is reached, at the aim the aim is; what is not known is neither."""
    assert word == wanted


@pytest.mark.parametrize(("seconds", "word"), [(300, goals.REACHED), (301, goals.MISSED)])
def test_what_it_costs(found: dict[str, Any], seconds: int, word: str) -> None:
    """Training of 300 s is in time, of 301 s it is not."""
    cost = {"training": {"stations": 40, "seasons": 3, "seconds": seconds}, "saying": {"stations": 1000, "seconds": 2.5}, "leads": 14}
    (line,) = re.findall(r"^\|.*training, 40 stations × 3 seasons × 14 days.*\|$", page(found | {"cost": cost}, MADE), re.MULTILINE)
    assert word in line


def test_unknown_is_not_reached(found: dict[str, Any]) -> None:
    """A skill that does not exist counts among no floors that are reached."""
    other = copy.deepcopy(found)
    other["sets"]["made"]["leads"][0]["over"][0]["skill"] = [None, None, None]
    words: Callable[[dict[str, Any]], list[Check]] = lambda data: list(every_check(data, MADE))  # noqa: E731 # two calls of it
    assert sum(c.word == goals.UNKNOWN for c in words(other)) == 1 + sum(c.word == goals.UNKNOWN for c in words(found))
    reached = [re.search(r"Of \d+ floors (\d+) are reached", page(data, MADE)) for data in (found, other)]
    assert reached[0] is not None
    assert reached[1] is not None
    assert int(reached[1][1]) == int(reached[0][1]) - 1


def test_the_line_in_the_readme(found: dict[str, Any]) -> None:
    """What stands between the marks is made anew, and nothing else."""
    text = readme(f"before {BEGINS}\n@@\n{ENDS} after", found, MADE)
    assert re.fullmatch(rf"before {BEGINS}\nTried on 2021 at 3 places, .* of 100 days over 1 g/L .*\n{ENDS} after", text)
    assert "@@" not in text
    assert readme(text, found, MADE) == text
    assert readme("no marks", found, MADE) == "no marks"


# ------------------------------------------------------------ what is shipped


def test_no_figure_is_typed() -> None:
    """The modules that hold the page's words hold no decimal figure; floors stand in goals.py alone."""
    for name in ("words", "sections", "others", "page"):
        tree = ast.parse((ROOT / f"bench/skill/{name}.py").read_text("utf-8"))
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert [text for text in texts if re.search(r"\d[.,]\d", text)] == []


@pytest.mark.skipif(not (DOCS / "skill.json").exists(), reason="docs/skill.json was not made yet")
def test_the_page_says_what_the_json_says() -> None:
    """docs/skill.md, its pictures and docs/skill.json are of one run: `make skill` writes all of them."""
    files = pages(json.loads((DOCS / "skill.json").read_text("utf-8")))
    assert {name: (DOCS / name).read_text("utf-8") == text for name, text in files.items()} == dict.fromkeys(files, True)
    front = (ROOT / "README.md").read_text("utf-8")
    assert BEGINS in front
    assert readme(front, json.loads((DOCS / "skill.json").read_text("utf-8"))) == front
    assert {f"skill/{path.name}" for path in (DOCS / "skill").iterdir()} == {name for name in files if name.startswith("skill/")}


@pytest.mark.skipif(not (DOCS / "skill.json").exists(), reason="docs/skill.json was not made yet")
def test_every_set_that_is_held_to_something_is_there() -> None:
    """Each line of goals.py has its figures: no floor is left out for want of a run."""
    found = json.loads((DOCS / "skill.json").read_text("utf-8"))
    assert set(goals.SETS) <= set(found["sets"])
    for name, wanted in goals.SETS.items():
        asked = {*wanted.rmse, *wanted.nse, *(lead for floors in wanted.skill.values() for lead in floors)}
        assert asked <= {lead["lead"] for lead in found["sets"][name]["leads"]}
        assert set(wanted.skill) <= {over["line"] for over in found["sets"][name]["leads"][0]["over"]}
    assert {(one["hours"], one["cases"]) for one in found["hours"]["windows"]} >= {(h, cases) for h in goals.WINDOWS.precision for cases in ("mixed", "all")}
    assert set(goals.LEFT_OUT.below) <= {lead["lead"] for lead in found["left_out"]["leads"]}
