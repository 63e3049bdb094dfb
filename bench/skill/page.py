"""docs/skill.md, made of docs/skill.json and the goals alone: no figure on it is typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.skill import others, sections, windows, words
from bench.skill.checks import Check, of_baselines, of_cost, of_left_out, of_set, of_windows
from bench.skill.diagram import picture
from bench.skill.goals import LEFT_OUT, SETS, WINDOWS, Goals

JSON, PAGE, PICTURES = "skill.json", "skill.md", "skill"
BEGINS, ENDS = "<!-- made by `make skill` -->", "<!-- until here -->"
MADE = "<!-- made by `make skill`, like every figure on it; change bench/skill, not this file -->"


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """The page, what it is made of, and its pictures; old pictures go."""
    files = pages(found)
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for old in (folder / PICTURES).glob("*.svg"):
        if f"{PICTURES}/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    front = folder.parent / "README.md"
    if front.is_file():
        front.write_text(readme(front.read_text("utf-8"), found), "utf-8")
    return [folder / name for name in files]


def pages(found: Mapping[str, Any], goals: Mapping[str, Goals] = SETS) -> dict[str, str]:
    """Every file by its name below docs/."""
    files = {JSON: _json(found), PAGE: page(found, goals)}
    for name in goals:
        if name in found["sets"]:
            for lead in found["sets"][name]["leads"]:
                files[sections.picture_of(name, lead["lead"])] = picture(found["sets"][name], lead)
    return files


def _json(found: Mapping[str, Any]) -> str:
    """A line for each figure with its interval, so that changes can be read."""
    text = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda some: f"[{' '.join(some[1].split())}]", text) + "\n"


def readme(text: str, found: Mapping[str, Any], goals: Mapping[str, Goals] = SETS) -> str:
    """`text` with its line about the forecasts as it is now; unchanged where it has none."""
    held = {name: goals[name] for name in goals if name in found["sets"]}
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    line = words.in_short(found, next(iter(held)), list(every_check(found, held)))
    return f"{before}{begins}\n{line}\n{ends}{after}" if ends else text


def page(found: Mapping[str, Any], goals: Mapping[str, Goals] = SETS) -> str:
    """The text."""
    held = {name: goals[name] for name in goals if name in found["sets"]}
    checks = list(every_check(found, held))
    parts = [
        f"# How good the forecasts are\n\n{words.about(found)}\n\n{MADE}",
        words.plain(found, next(iter(held))),
        words.promised(checks),
        *(sections.of_set(name, found["sets"][name], list(of_set(found["sets"][name], held[name])), held[name]) for name in held),
        others.left_out(found["left_out"], list(of_left_out(found["left_out"], LEFT_OUT))) if found.get("left_out") else "",
        windows.windows(found["hours"], list(of_windows(found["hours"], WINDOWS))) if found.get("hours") else "",
        others.baselines({name: found["sets"][name] for name in held}),
        *(others.more(found["sets"][name]) for name in found["sets"] if name not in held),
        others.cost(list(of_cost(found["cost"]))) if found.get("cost") else "",
        f"## What is held elsewhere\n\n{others.ELSEWHERE}",
        words.weaknesses(found, next(iter(held))),
        others.HOW,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def every_check(found: Mapping[str, Any], held: Mapping[str, Goals]) -> Iterator[Check]:
    """All that is held to something, in the page's order."""
    for name, wanted in held.items():
        yield from of_set(found["sets"][name], wanted)
        yield from of_baselines(found["sets"][name])
    if found.get("left_out"):
        yield from of_left_out(found["left_out"], LEFT_OUT)
    if found.get("hours"):
        yield from of_windows(found["hours"], WINDOWS)
    if found.get("cost"):
        yield from of_cost(found["cost"])
