"""Further tables of the page: stations left out, baselines, sets that are held to nothing, what is held elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.skill.checks import Best, Check, best_baselines
from bench.skill.numbers import days, listed, number, percent, percent_span, with_span
from bench.skill.sections import checks_table, events, tried, values
from deploy.page import table

Found = Mapping[str, Any]

HOW = """## How this page is made

```sh
make skill
make skill ARGS="--data ../shared/data"
```

runs the code of `canhman backtest` ([backtest.md](backtest.md)) on the files of [docs/datasets](datasets); the measured data are no part of the project.
It writes this page, `skill.json` with its figures, and its pictures. Seeds are fixed: but for seconds the same data, code and libraries give the same
bytes. Its code is `bench/skill`; a test holds the page against `skill.json`, and makes a small page of the same form on made data.

Intervals in brackets are 95 % intervals by whole blocks of 15 days. They are somewhat too narrow where blocks are few, and one season of five months holds
ten of them: read them as rough."""

ELSEWHERE = table(
    ("What", "Where"),
    (
        (
            "No forecast knows what comes after its issue: everything after it is scrambled, other stations and drivers included, and no bit changes",
            "`tests/analytics/daily/test_backtest.py`, `tests/canhman/test_backtest_leakage.py`",
        ),
        ("What a round of forecasts and the hourly course cost in time", "`bench/forecast_round.py`, `bench/windows.py`"),
        ("Every forecast in operation is kept as issued, and scored when its day has passed", "[the public record](record.md)"),
        ("How the model was chosen, and what was tried and dropped", "[decision 0021](decisions/0021-model-of-days.md)"),
    ),
)


def left_out(found: Found, checks: Sequence[Check]) -> str:
    """Stations that were never learned from."""
    leads = found["leads"]
    names = [one["station"] for one in leads[0]["stations"]]
    cells = {}
    for lead in leads:
        for one in lead["stations"]:
            errors = f"{number(one['rmse'])} / {number(one['rmse_persistence'])}"
            cells[lead["lead"], one["station"]] = f"{errors}, {percent_span(one['below'])}, {percent(one['coverage90'][0])}"
    head = ("Station", *(f"{days(lead['lead'])}: RMSE / persistence, below it by, in 90 %" for lead in leads))
    worse = worse_left_out(found)
    told = "At every one of them, at each lead, the error lies below the place's own persistence."
    if worse:
        told = f"At {listed(worse)} the error lies above the place's own persistence at some lead; elsewhere it lies below it at each."
    parts = [
        "## Stations that were never learned from",
        f"Each of the {len(names)} in turn is left out of the training; the others teach the model, which is then asked of this one by its own last 75 days.",
        checks_table(checks),
        told,
        table(head, ((name, *(cells.get((lead["lead"], name), "–") for lead in leads)) for name in names)),
    ]
    return "\n\n".join(parts)


def worse_left_out(found: Found) -> list[str]:
    """Stations at which "as today" was nearer at some lead."""
    return sorted({one["station"] for lead in found["leads"] for one in lead["stations"] if one["below"][0] is not None and one["below"][0] < 0})


def baselines(sets: Mapping[str, Found]) -> str:
    """Each set's own best baseline."""
    every = {name: best_baselines(found) for name, found in sets.items()}
    worse = [f"{sets[name]['name']}, {days(one.lead)}, {one.what}" for name, found in every.items() for one in found if one.worse]
    better, total = sum(one.better for found in every.values() for one in found), sum(len(found) for found in every.values())
    told = f"**Worse beyond chance: {'; '.join(worse)}.**" if worse else "At no set and lead is it worse beyond chance (interval wholly below zero)."
    parts = [
        "## Against each set's own best baseline",
        "Persistence, climatology, the same phase of springs and neaps (analogue) and logistic persistence, each with odds of its own, tried on the same "
        "days. The best of them is chosen for each lead and measure by the very days of the test, which nobody could do beforehand. "
        f"{told} It is better beyond chance in {better} of {total} cases.",
    ]
    for name, found in sets.items():
        leads = [lead["lead"] for lead in found["leads"]]
        by = {(one.what, one.lead): _beside(one) for one in every[name]}
        rows = ((what, *(by.get((what, lead), "–") for lead in leads)) for what in dict.fromkeys(one.what for one in every[name]))
        parts.append(f"{found['name']}: best baseline, and skill against it\n\n{table(('Measure', *(days(lead) for lead in leads)), rows)}")
    return "\n\n".join(parts)


def _beside(one: Best) -> str:
    word = " **worse**" if one.worse else "" if one.better else ", no difference"
    return f"{one.model}: {with_span(one.skill)}{word}"


def cost(checks: Sequence[Check]) -> str:
    """Time."""
    told = "Seconds of the clock on the machine that made this page, training on two processors; the only figures here that another run changes."
    return f"## What it costs\n\n{told}\n\n{checks_table(checks)}"


def more(found: Found) -> str:
    """A set that is held to nothing."""
    worse = [f"{days(one.lead)}, {one.what} (than {one.model})" for one in best_baselines(found) if one.worse]
    told = [f"Worse than its best baseline beyond chance: {'; '.join(worse)}." if worse else "At no lead is it worse than its best baseline beyond chance."]
    if len(found["stations"]) > 1:
        low = [f"{sum((s['nse'][0] or 0) < 0 for s in lead['stations'])} of {len(lead['stations'])} at {days(lead['lead'])}" for lead in found["leads"]]
        told.append(f"Stations where the mean of the season would have been nearer (NSE below 0): {', '.join(low)}.")
    head = f"## {found['name']}\n\nNo floor is set here. {tried(found)}"
    return "\n\n".join((head, values(found), events(found), " ".join(told)))
