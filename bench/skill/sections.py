"""A set with everything that is held to something: tables, each station, what limits it, the odds read in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.skill.checks import Check
from bench.skill.diagram import finding
from bench.skill.goals import Goals
from bench.skill.numbers import days, listed, number, percent, percent_span, span, tenths, with_span
from deploy.page import table

Found = Mapping[str, Any]
CURVED = "logistic"  # the model whose chances are logistic persistence of log1p of the values


def picture_of(name: str, lead: int) -> str:
    """Its place below docs/."""
    return f"skill/reliability-{name}-{lead:02d}.svg"


def of_set(name: str, found: Found, checks: Sequence[Check], goals: Goals) -> str:
    """Figures against floors first, then all there is."""
    parts = [f"## {found['name']}", tried(found), checks_table(checks), values(found), events(found)]
    if len(found["stations"]) > 1:
        parts.append(_stations(found))
    parts += [_limits(found, goals, at) for at in goals.nse if goals.nse_excused and any(lead["lead"] == at for lead in found["leads"])]
    return "\n\n".join([*parts, _odds(name, found)])


def tried(found: Found) -> str:
    """What on what."""
    many = len(found["stations"]) > 1
    where = f"{len(found['stations'])} stations ({', '.join(found['stations'])})" if many else found["stations"][0]
    tested = len(found["leads"][0]["stations"])
    if tested < len(found["stations"]):
        where += f", of which {tested} were read in the test"
    drivers = (
        f"Drivers: {', '.join(found['drivers'])}." if found["drivers"] else "No driver: salinity itself, and the tide known ahead where the zone has a port."
    )
    return f"{where}, in {found['unit']}; trained to {found['train_until']}, tested {found['test_from']} to {found['test_until']}. {drivers}"


def checks_table(checks: Sequence[Check]) -> str:
    """A line for each figure that is held to something."""
    return table(("Ahead", "What", "Figure", "95 % interval", "Floor", "Aim", ""), ([c.lead, c.what, *_figure(c), c.floor, c.aim, c.word] for c in checks))


def _figure(check: Check) -> tuple[str, str]:
    value, low, high = check.found
    if value is None:  # the least and the most of several, or nothing
        return (f"{percent(low, 1)[:-2]} to {percent(high, 1)}" if check.share else span(check.found, 3)) if low is not None else "–", "–"
    if check.share:
        return percent(value, 1), "–" if low is None else f"{percent(low)[:-2]} to {percent(high)}"
    return number(value, 3), "–" if low is None else span(check.found)


def values(found: Found) -> str:
    """The value itself, by lead."""
    head = ("Days ahead", "n", f"RMSE, {found['unit']}", "Persistence", "Climatology", "NSE", "Bias", "CRPS", "Within 30 %", "90 % interval held")
    rows = []
    for one in found["leads"]:
        errors = (with_span(one["rmse"]), number(one["rmse_persistence"]), number(one["rmse_climatology"]))
        other = (with_span(one["nse"]), number(one["bias"]), number(one["crps"]), percent(one["within_30pct"]))
        rows.append((one["lead"], one["n"], *errors, *other, percent_span(one["coverage90"])))
    return f"The value itself, all together (in brackets 95 % intervals by 15-day blocks):\n\n{table(head, rows)}"


def events(found: Found) -> str:
    """The chance of each line, by lead."""
    against = ("Skill against logistic persistence", "of log1p of the values", "vs persistence", "vs climatology")
    head = ("Days ahead", "Over", "Came", "Brier", *against, "Warned of", "False warnings")
    rows = []
    for lead in found["leads"]:
        curved = {one["line"]: one["skill"] for one in lead["baselines"] if one["model"] == CURVED and one["measure"] == "chance"}
        for over in lead["over"]:
            skill = (with_span(over["skill"]), with_span(curved[over["line"]]), number(over["vs_persistence"]), number(over["vs_climatology"]))
            warned = (percent(over["hit_rate"]), percent(over["false_alarm_ratio"]))
            rows.append((lead["lead"], f"{over['line']:g}", percent(over["prevalence"]), number(over["brier"], 3), *skill, *warned))
    told = "Logistic persistence knows today's value and the week's mean, or the season; in the column beside it log1p of them, which is the model `logistic`."
    return f"The chance of lying over a line. {told}\n\n{table(head, rows)}"


def _stations(found: Found) -> str:
    leads = [lead["lead"] for lead in found["leads"]]
    cells: dict[str, dict[int, str]] = {}
    for lead in found["leads"]:
        for one in lead["stations"]:
            told = f"{number(one['rmse'][0])}, {with_span(one['nse'])}, {percent(one['coverage90'][0])}"
            cells.setdefault(one["station"], {})[lead["lead"]] = told
    head = ("Station", *(f"{days(lead)}: RMSE, NSE (interval), in 90 %" for lead in leads))
    return f"Each station:\n\n{table(head, ((name, *(by.get(lead, '–') for lead in leads)) for name, by in cells.items()))}"


def _limits(found: Found, goals: Goals, at: int) -> str:
    """Why NSE is low where the water hardly varies."""
    unit, floor = found["unit"], goals.nse[at][0]
    lead = next(one for one in found["leads"] if one["lead"] == at)
    head = ("Station", f"Mean of the test days, {unit}", "Their spread (sd)", "Highest", "Mean of the training days", "RMSE", "Bias", "NSE", "In 90 %")
    rows = []
    for one in sorted(lead["stations"], key=lambda s: float(s["sd"])):
        spread = [number(one[key]) for key in ("mean", "sd", "highest", "learned_mean")]
        rows.append((one["station"], *spread, number(one["rmse"][0]), number(one["bias"]), with_span(one["nse"]), percent(one["coverage90"][0])))
    told = "\n".join(f"- {_limit(one, lead, floor, unit)}" for one in lead["stations"] if one["station"] in goals.nse_excused)
    why = f"What limits {listed(goals.nse_excused)}, {days(at)} ahead: NSE is 1 − (RMSE / sd)², it measures an error by how much the water varies."
    return f"{why}\n\n{table(head, rows)}\n\n{told}"


def _limit(one: Found, lead: Found, floor: float, unit: str) -> str:
    needed, share = one["sd"] * (1 - floor) ** 0.5, one["rmse"][0] / lead["rmse"][0]
    drift = (one["bias"] / one["rmse"][0]) ** 2
    season = "fresher" if one["mean"] < one["learned_mean"] else "saltier"
    rmse = number(one["rmse"][0])
    return (
        f"At {one['station']} the test days lie around {number(one['mean'])} {unit} and vary by {number(one['sd'])} {unit}; the training days had a mean of "
        f"{number(one['learned_mean'])} {unit}, so the season was {season} than what was learned. The error, {rmse} {unit}, is {number(share)} of that of "
        f"all stations together; an NSE of {number(floor)} would need {number(needed)} {unit}. Saying too {'much' if one['bias'] > 0 else 'little'} on the "
        f"average makes {percent(drift)} of the squared error."
    )


def _odds(name: str, found: Found) -> str:
    """The diagrams, read in words."""
    parts = ["Are the odds right? A dot on the dashed line is a chance that came as often as it was said."]
    for lead in found["leads"]:
        ahead = f"{days(lead['lead'])} ahead"
        told = "\n".join(f"- Over {over['line']:g} {found['unit']}: {finding(over['odds'])}. {_read(over['odds'])}" for over in lead["over"])
        parts.append(f"![{found['name']}, {ahead}: said against came]({picture_of(name, lead['lead'])})\n\n{ahead[0].upper()}{ahead[1:]}:\n\n{told}")
    return "\n\n".join(parts)


def _read(odds: Sequence[Found]) -> str:
    """Where what came differs from what was said beyond chance."""
    off = [b for b in odds if beyond(b) > 0]
    if not off:
        return f"In none of the {len(odds)} classes of chance does what came differ from what was said beyond chance."
    worst = max(off, key=beyond)
    seldom, often = (sum((b["said"] > b["came"][0]) == way for b in off) for way in (True, False))
    which = "less often than said" if not often else "more often than said" if not seldom else f"{seldom} less often, {often} more often than said"
    came = f"{tenths(worst['came'][0])} ({number(10 * worst['came'][1], 1)} to {number(10 * worst['came'][2], 1)}, n = {worst['n']})"
    return (
        f"In {len(off)} of {len(odds)} classes it came otherwise than said beyond chance ({which}); most where it said {tenths(worst['said'])}: it came {came}."
    )


def beyond(b: Found) -> float:
    """How far what was said lies outside the interval of what came; 0 or less within."""
    outside = float(max(b["came"][1] - b["said"], b["said"] - b["came"][2]))
    return outside if outside > 1e-6 else 0.0
