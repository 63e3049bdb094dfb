"""Hours promised below the limit, and the course by hours, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.skill.checks import Check
from bench.skill.numbers import number, percent
from bench.skill.sections import checks_table
from deploy.page import table

Found = Mapping[str, Any]


def windows(found: Found, checks: Sequence[Check]) -> str:
    """All of it, "same hour yesterday" and persistence beside it."""
    mixed = "; ".join(_beside_yesterday(one) for one in found["windows"] if one["cases"] == "mixed")
    parts = [
        "## Water windows",
        f"{found['name']}, by hours, learned until {found['learned_until']}, tested {found['test_from']} to {found['test_until']}; model {found['model']} "
        f"{found['version']}. An hour is promised where the chance of staying at or under 1 g/L is at least 9 in 10. Mixed cases: the last 26 h at the "
        "station held both safe and unsafe hours; elsewhere the same hour yesterday is already right.",
        checks_table(checks),
        f"Beside “the same hour yesterday”, in mixed cases: {mixed}.",
        _windows(found["windows"]),
        "The course itself (loss: about the CRPS, g/L; Brier: the mean over the lines), persistence beside it on the hours that it speaks of:",
        _course(found["course"]),
        "Low chances of passing a line within the first six hours, which a verdict rests on:",
        _low(found["low"]),
    ]
    return "\n\n".join(parts)


def _beside_yesterday(one: Found) -> str:
    wrong = [number(None if one[key] is None else 100 * (1 - one[key]), 0) for key in ("precision", "yesterday_precision")]
    offered = f"{percent(one['share'])} of the safe hours are promised instead of {percent(one['yesterday_share'])}"
    return f"of 100 hours promised for the next {one['hours']} h, {wrong[0]} are not safe instead of {wrong[1]}; {offered}"


def _windows(windows: Sequence[Found]) -> str:
    yesterday = ("Same hour yesterday: were safe", "Same hour yesterday: promised")
    head = ("Next", "Cases", "Hours", "Safe", "Promised that were safe", "Safe that were promised", *yesterday)
    rows = []
    for one in windows:
        rates = (number(one[key], 3) for key in ("precision", "share", "yesterday_precision", "yesterday_share"))
        rows.append((f"{one['hours']} h", one["cases"], one["n"], percent(one["safe"]), *rates))
    return table(head, rows)


def _course(course: Sequence[Found]) -> str:
    there = ("Persistence's hours", "Loss there", "of persistence", "Brier there", "of persistence", "Persistence's 90 % held")
    head = ("Hours ahead", "Hours", "Loss", "Brier", "90 % interval held", "50 % interval held", *there)
    rows = []
    for one in course:
        own = (*(number(one[key], 3) for key in ("pinball", "brier")), percent(one["coverage90"]), percent(one["coverage50"]))
        losses = (number(one[key], 3) for key in ("against_pinball", "persistence_pinball", "against_brier", "persistence_brier"))
        rows.append((f"{one['first']} to {one['last']}", one["n"], *own, one["persistence_n"], *losses, percent(one["persistence_coverage90"])))
    return table(head, rows)


def _low(low: Sequence[Found]) -> str:
    head = ("Of", "Said", "Times", "Mean said", "Came", "Persistence: times", "Mean said", "Came")
    rows = []
    for one in low:
        own, other = ([percent(one[key], 1) for key in keys] for keys in (("said", "came"), ("persistence_said", "persistence_came")))
        of = "each hour" if one["hours"] == 1 else f"the highest of {one['hours']} hours"
        rows.append((of, f"{percent(one['low'])[:-2]} to {percent(one['high'])}", one["n"], *own, one["persistence_n"], *other))
    return table(head, rows)
