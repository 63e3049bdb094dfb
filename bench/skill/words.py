"""The page's plain words: what may be believed, what was promised, what is known to be weak. Each figure comes from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.skill.checks import Check, best_baselines
from bench.skill.goals import MISSED, UNKNOWN
from bench.skill.numbers import days, listed, number, percent, span, tenths
from bench.skill.others import worse_left_out
from bench.skill.sections import beyond

Found = Mapping[str, Any]
LINE = 1.0  # g/L: most fruit trees, and the line windows are promised at
WEEK = 7
WIDE, NARROW = 0.97, 0.83
WANTED, NEAR = 0.90, 0.06
ODDS_NEAR = 0.1


def about(found: Found) -> str:
    """The first lines."""
    tried = "; ".join(one["name"] for one in found["sets"].values())
    return (
        "How near forecasts come on measured data that they never learned from: in plain words first, then figure by figure against what was promised. "
        f"The model is `{found['model']}` {found['version']}; tried on: {tried}."
    )


def plain(found: Found, name: str) -> str:
    """What a farmer may believe, and what not."""
    one = found["sets"][name]
    line = _line(one)
    parts = [
        "## In plain words",
        f"Asked of {one['test_from'][:4]} at {len(one['stations'])} places ({one['name']}), of which it had seen earlier days only:",
        "\n".join(_ahead(lead, line, one["unit"]) for lead in one["leads"]),
        f"You may believe:\n\n{_bullets([*_believe(one, line), *_promised_hours(found)])}",
        f"Do not believe:\n\n{_bullets(_doubt(found, one, line))}",
        vietnamese(one, line),
    ]
    return "\n\n".join(parts)


def _bullets(told: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in told)


def _over(lead: Found, line: float) -> Found:
    found: Found = next(over for over in lead["over"] if over["line"] == line)
    return found


def _ahead(lead: Found, line: float, unit: str) -> str:
    over = _over(lead, line)
    return (
        f"- **{days(lead['lead'])} ahead:** of 100 days over {line:g} {unit} it had warned of {_hundred(over['hit_rate'])} (odds of one half or more); of 100 "
        f"warnings {_hundred(over['false_alarm_ratio'])} were false. The value was off by {number(lead['rmse'][0])} {unit} (RMSE; “as today”: "
        f"{number(lead['rmse_persistence'])}), and lay in the range that should hold 90 times in 100 {_hundred(lead['coverage90'][0])} times."
    )


def in_short(found: Found, name: str, checks: Sequence[Check]) -> str:
    """For the README: one line that a test holds to the results."""
    one = found["sets"][name]
    line = _line(one)
    over = [_over(lead, line) for lead in one["leads"]]
    ahead, warned, false, held = (
        " / ".join(words)
        for words in (
            [str(lead["lead"]) for lead in one["leads"]],
            [_hundred(o["hit_rate"]) for o in over],
            [_hundred(o["false_alarm_ratio"]) for o in over],
            [_hundred(lead["coverage90"][0]) for lead in one["leads"]],
        )
    )
    return (
        f"Tried on {one['test_from'][:4]} at {len(one['stations'])} places, a season it had not learned from: of 100 days over {line:g} {one['unit']} it had "
        f"warned of {warned} ({ahead} days ahead), of 100 warnings {false} were false, and the range that should hold 90 times in 100 held {held} times. "
        f"{_reached(checks)} of {len(checks)} floors that were promised are reached: [what to believe, and what not](docs/skill.md)."
    )


def _line(one: Found) -> float:
    lines = [float(over["line"]) for over in one["leads"][0]["over"]]
    return LINE if LINE in lines else lines[0]


def _reached(checks: Sequence[Check]) -> int:
    return sum(check.word not in (MISSED, UNKNOWN) for check in checks)


def _hundred(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}"


def eight(lead: Found, low: float = 0.7, high: float = 0.9) -> tuple[float, float] | None:
    """What was said about 8 times in 10, over all lines, and how often it came."""
    some = [b for over in lead["over"] for b in over["odds"] if low <= b["said"] <= high]
    n = sum(b["n"] for b in some)
    return (sum(b["n"] * b["said"] for b in some) / n, sum(b["n"] * b["came"][0] for b in some) / n) if n else None


def _believe(one: Found, line: float) -> list[str]:
    told = []
    sure = [days(lead["lead"]) for lead in one["leads"] if _sure(lead, line)]
    if sure:
        told.append(
            f"the chance of passing {line:g} {one['unit']}, {listed(sure)} ahead: it knows more, beyond chance, than what usually follows a value like today's;"
        )
    right = [words for words, apart in _eights(one) if apart <= ODDS_NEAR]
    if right:
        told.append(f"odds as odds: of 10 times that about 8 in 10 was said, over all lines, it came {', '.join(right)};")
    held = [lead["coverage90"][0] for lead in one["leads"]]
    if all(share is not None and abs(share - WANTED) <= NEAR for share in held):
        told.append(f"the range more than the one value in it: what should hold 90 times in 100 held {', '.join(map(_hundred, held))} times;")
    return told


def _promised_hours(found: Found) -> list[str]:
    mixed = [one for one in (found["hours"]["windows"] if found.get("hours") else ()) if one["cases"] == "mixed" and one["precision"] is not None]
    told = [f"of the next {one['hours']} h {_hundred(one['precision'])}" for one in mixed]
    where = "where the tide brings both safe and unsafe hours"
    return [f"hours promised for pumping: of 100 promised, {where}, so many were safe: {', '.join(told)}."] if told else []


def _eights(one: Found) -> list[tuple[str, float]]:
    """What 8 in 10 was worth at each lead, and how far that is from what was said."""
    pairs = [(lead, eight(lead)) for lead in one["leads"]]
    return [(f"{number(10 * p[1], 1)} times ({days(lead['lead'])} ahead; said {number(10 * p[0], 1)})", abs(p[0] - p[1])) for lead, p in pairs if p is not None]


def _sure(lead: Found, line: float) -> bool:
    low = _over(lead, line)["skill"][1]
    return low is not None and low > 0


def _doubt(found: Found, one: Found, line: float) -> list[str]:
    last, unit = one["leads"][-1], one["unit"]
    far = max(last["stations"], key=lambda s: float(s["rmse"][0]))
    worst = f", at {far['station']} by {number(far['rmse'][0])}" if len(last["stations"]) > 1 else ""
    told = [f"a single value {days(last['lead'])} ahead: it is off by {number(last['rmse'][0])} {unit} (RMSE){worst};"]
    wrong = [words for words, apart in _eights(one) if apart > ODDS_NEAR]
    if wrong:
        told.append(f"odds to the tenth: of 10 times that about 8 in 10 was said, over all lines, it came {', '.join(wrong)};")
    weak = [days(lead["lead"]) for lead in one["leads"] if not _sure(lead, line)]
    if weak:
        told.append(f"that the chance over {line:g} {unit} {listed(weak)} ahead beats a look at today's value: it does not beyond chance;")
    flat = [(s["station"], lead["lead"], s["coverage90"][0]) for lead in one["leads"] for s in lead["stations"] if s["nse"][0] is not None and s["nse"][0] < 0]
    if flat:
        names, first, held = sorted({name for name, _, _ in flat}), min(lead for _, lead, _ in flat), min(share for _, _, share in flat)
        better = f"the mean of the season would have been nearer; its range held {_hundred(held)} times in 100 or more"
        told.append(f"the value at {listed(names)} {days(first)} or more ahead: {better};")
    worse = worse_left_out(found["left_out"]) if found.get("left_out") else []
    if worse:
        told.append(
            f"that the value is good at every place it never learned from: at {listed(worse)}, left out of the training, “as today” was nearer at some lead;"
        )
    told.append(f"that it knows every season: {one['test_from'][:4]} is one. A drought or flood unlike all that was learned may go beyond every range.")
    return told


def vietnamese(one: Found, line: float) -> str:
    """The same in short for those the page is about."""
    near, late = one["leads"][0], one["leads"][-1]
    week = next((lead for lead in one["leads"] if lead["lead"] == WEEK), late)
    unit, over = one["unit"], _comma(line, 0 if line == int(line) else 1)

    def told(lead: Found) -> str:
        rates = _over(lead, line)
        warned = f"cứ 100 ngày nước lên quá {over} {unit} thì báo trước được {_hundred(rates['hit_rate'])} ngày"
        false = f"cứ 100 lần báo thì {_hundred(rates['false_alarm_ratio'])} lần báo lầm"
        return f"trước {lead['lead']} ngày, {warned}, {false}, con số lệch chừng {_comma(lead['rmse'][0], 1)} {unit}"

    return (
        f"**Tiếng Việt.** Bà con tin được tới đâu? Lấy năm {one['test_from'][:4]} ở {len(one['stations'])} chỗ ra thử, là năm máy chưa được học: {told(near)}; "
        f"{told(week)}. Trước {late['lead']} ngày thì lệch chừng {_comma(late['rmse'][0], 1)} {unit}: coi để liệu trước, gần tới ngày phải coi lại. "
        "Nói “8 trên 10 lần” là cũng có 2 lần không phải vậy. Trước khi tưới vẫn phải đo."
    )


def _comma(value: float | None, digits: int) -> str:
    return number(value, digits).replace(".", ",")


def promised(checks: Sequence[Check]) -> str:
    """How many floors were reached, and each that was not."""
    missed, unknown = [check for check in checks if check.missed], [check for check in checks if check.word == UNKNOWN]
    aims = [check for check in checks if check.aim != "–"]
    met = sum("aim" in check.word for check in aims)
    told = "None is missed."
    if missed:
        told = f"**MISSED: {len(missed)}**\n\n{_bullets([f'{c.about}, {c.lead} ahead, {c.what}: {_brief(c)}; the floor is {c.floor}' for c in missed])}"
    if unknown:
        told = f"Not known: {'; '.join(f'{c.about}, {c.lead} ahead, {c.what}' for c in unknown)}. {told}"
    return f"## What was promised\n\nOf {len(checks)} floors {_reached(checks)} are reached, and {met} of {len(aims)} aims. {told}"


def _brief(check: Check) -> str:
    value, low, high = check.found
    if value is not None:
        return percent(value, 1) if check.share else number(value, 3)
    if low is None:
        return "–"
    return f"{percent(low, 1)[:-2]} to {percent(high, 1)}" if check.share else span(check.found, 3)


def weaknesses(found: Found, name: str) -> str:
    """What is known to be weak."""
    one = found["sets"][name]
    told = [
        "The choice of learners, of chances without a further correction, and of how much surer a quiet station is, was made by eye on these very test years: "
        "later years may score lower "
        "([decision 0021](decisions/0021-model-of-days.md)).",
    ]
    if not one["drivers"]:
        told.append(f"{one['name']} has no discharge. The model uses it where a set brings it.")
    told += [*_off(one), *_wide(one)]
    bias = [f"{number(lead['bias'])} {one['unit']} {days(lead['lead'])} ahead" for lead in one["leads"]]
    told.append(f"Bias in the test season of {one['name']} (above 0: it said too much): {', '.join(bias)}.")
    for other in found["sets"].values():
        unsure = sorted({one.lead for one in best_baselines(other) if one.what.startswith("chance") and not one.better})
        if unsure:
            told.append(
                f"{other['name']}: at some line no better, beyond chance, than the best baseline's odds {listed([days(lead) for lead in unsure])} ahead."
            )
    return f"## Known weaknesses\n\n{_bullets(told)}"


def _off(one: Found) -> list[str]:
    """Odds that were wrong beyond chance."""
    worst = [(lead, over, max(over["odds"], key=beyond)) for lead in one["leads"] for over in lead["over"] if over["odds"]]
    off = [
        f"over {over['line']:g} {one['unit']} {days(lead['lead'])} ahead, said {tenths(b['said'])}, came {tenths(b['came'][0])}"
        for lead, over, b in worst
        if beyond(b) > 0
    ]
    return [f"Odds that came otherwise than said, beyond chance, at {one['name']}: {'; '.join(off)}."] if off else []


def _wide(one: Found) -> list[str]:
    """Stations whose interval is too wide or too narrow."""
    every = [(f"{s['station']} {percent(s['coverage90'][0])} ({days(lead['lead'])})", s["coverage90"][0]) for lead in one["leads"] for s in lead["stations"]]
    sides = {"too wide": [word for word, share in every if share > WIDE], "too narrow": [word for word, share in every if share < NARROW]}
    return [f"The 90 % interval is {side} at {', '.join(words)}." for side, words in sides.items() if words]
