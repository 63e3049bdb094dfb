"""docs/faults.md and docs/faults.json from what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.faults.row import recovery
from bench.faults.run import PEERS, rows


def line(path: str, name: str, result: Mapping[str, Any]) -> str:
    """One result for the terminal."""
    if result.get("error"):
        return f"{path} {name}: NOT RUN ({result['seconds']:.0f} s)\n{result['error']}"
    o = result["outcome"]
    found = f"{o['published']} published, {o['acknowledged']} acknowledged, {o['stored']} stored, {len(o['lost'])} lost, {len(o['doubled'])} doubled"
    more = "".join(f"\n  lost: {x}" for x in o["lost"][:5]) + "".join(f"\n  doubled: {x}" for x in o["doubled"][:5])
    return f"{path} {name}: {found}; back after {recovery(o['recover_s']) or '-'} [{result['seconds']:.0f} s] {o['note']}{more}"


def failed(found: Mapping[str, Any], cases: Sequence[str]) -> list[str]:
    """Cases of ours that lost or doubled something, or did not run."""
    every = rows()
    wrong = []
    for case in cases:
        if case.startswith(PEERS):
            continue
        result, row = found.get(case, {}), every[case.partition("/")[2]]
        outcome = result.get("outcome")
        if outcome is None or outcome["doubled"] or (row.ours and outcome["lost"]):
            wrong.append(case)
    return wrong


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Both files."""
    return []
