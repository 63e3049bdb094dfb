"""docs/faults.md and docs/faults.json from what was run. The page is made from the JSON alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.faults.machine import machine
from bench.faults.row import FaultRow, recovery
from bench.faults.run import PEERS, cases, rows
from bench.faults.world import PATHS
from bench.peers.rows import FORMS, ROWS

NAMES = 20  # of lost or doubled readings that are kept by name
TITLE = "# The fault record: what becomes of acknowledged readings when something breaks"


def line(path: str, name: str, result: Mapping[str, Any]) -> str:
    """One result for the terminal."""
    if result.get("error"):
        return f"{path} {name}: NOT RUN ({result['seconds']:.0f} s)\n{result['error']}"
    o = result["outcome"]
    found = f"{o['published']} published, {o['acknowledged']} acknowledged, {o['stored']} stored, {len(o['lost'])} lost, {len(o['doubled'])} doubled"
    more = "".join(f"\n  lost: {x}" for x in o["lost"][:5]) + "".join(f"\n  doubled: {x}" for x in o["doubled"][:5])
    return f"{path} {name}: {found}; back after {recovery(o['recover_s']) or '-'} [{result['seconds']:.0f} s] {o['note']}{more}"


def failed(found: Mapping[str, Any], asked: Sequence[str]) -> list[str]:
    """Cases of ours that lost or doubled something, or did not run."""
    every = rows()
    wrong = []
    for case in asked:
        if case.startswith(PEERS):
            continue
        result, row = found.get(case, {}), every[case.partition("/")[2]]
        outcome = result.get("outcome")
        if outcome is None or outcome["doubled"] or (row.ours and outcome["lost"]):
            wrong.append(case)
    return wrong


def gathered(found: Mapping[str, Any]) -> dict[str, Any]:
    """What docs/faults.json holds: every case that was run, lost and doubled counted, some of each by name."""
    kept = {}
    for case in ("/".join(case) for case in cases()):
        result = found.get(case)
        if not result:
            continue
        if result.get("error"):
            kept[case] = {"error": result["error"].strip().splitlines()[-1], "seed": result["seed"]}
            continue
        outcome = dict(result["outcome"])
        for what in ("lost", "doubled"):
            outcome[f"{what}_names"] = outcome[what][:NAMES]
            outcome[what] = len(outcome[what])
        kept[case] = outcome | {"seed": result["seed"], "seconds": result["seconds"], "on": result["on"]}
    return {"machine": machine(), "cases": kept}


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Both files."""
    data = gathered(found)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "faults.json").write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    (folder / "faults.md").write_text(text(data))
    return [folder / "faults.json", folder / "faults.md"]


# ------------------------------------------------------------ the page


def text(data: Mapping[str, Any]) -> str:
    """docs/faults.md."""
    every, found = rows(), data["cases"]
    ours = {name: row for name, row in every.items() if row.ours}
    others = {name: row for name, row in every.items() if not row.ours}
    return f"""{TITLE}

{_plain(found, ours)}

`make faults` starts real processes: Debian's Mosquitto and InfluxDB with `canhman ingest` between them, with paho-mqtt and with our own client, and our
listener with SQLite. A publisher counts what it published and what was acknowledged to it. *Stored* is asked of the store itself, by plain InfluxQL and
SQL, never of our own counters. *Lost* is acknowledged and not stored; *doubled* is a reading stored twice, at a time that is not its own, or one that
nobody published. *Back after*: from the fault (a killed process) or its end (a server that is back) until a reading that came afterwards is stored;
median and longest of the runs.

## The table

{_table(found, ours)}

## Not ours to win

No ingest can bring back what a broker forgot before it handed it over, or what a disk damaged before it was read. What can be done is to name it:
devices that number their messages (`seq`, `boot`) let us say which are missing.

{_table(found, others)}

## What one would otherwise write

The same three faults met by a script from paho-mqtt to influxdb-client (`bench/peers/script.py`), in its two usual forms: a write for each message, and
the library's batching. Both are given the broker's limits of ours, a supervisor that starts them again, and a goodbye at SIGTERM that flushes what waits.
InfluxDB 1.6 has no `/api/v2/write`: the client's path is rewritten in the process. The synchronous form acknowledges after its write, and so it is safe,
at about a thousand messages a second; the batching form is acknowledged to the broker before it writes.

{_peers(found)}

## What each row does

{"".join(f"- **{row.title}**: {row.what}{chr(10)}" for row in every.values())}
The rows of the scripts:

{"".join(f"- **{row.title}**: {row.what}{chr(10)}" for row in ROWS.values())}
## Again, on your machine

```sh
make faults
```

It takes about a quarter of an hour on two cores, two paths side by side, and keeps what is done in `.make/faults`: a run that was cut short goes on.
`ARGS="--row kills --path listener"` runs one row again, `--again` everything, `--seed N` repeats the random moments of a run (the seed of each stands in
[faults.json](faults.json)), `--json` prints the results. As root the journal's disk is a small tmpfs; without, a limit on the size of files stands in for
it. The row of the clock needs Debian's `faketime`. A short form of the table runs in the tests (`tests/e2e/test_faults.py`).

## Where this was run

{_machine(data)}
"""


def _plain(found: Mapping[str, Any], ours: Mapping[str, FaultRow]) -> str:
    """The first words: they say what the table says, whatever that is."""
    run = [o for case, o in found.items() if not case.startswith(PEERS) and case.partition("/")[2] in ours and "error" not in o]
    broken = [case for case, o in found.items() if not case.startswith(PEERS) and "error" in o]
    lost, doubled = sum(o["lost"] for o in run), sum(o["doubled"] for o in run)
    acknowledged = sum(o["acknowledged"] for o in run)
    whole = not lost and not doubled
    what = "No reading that reached us was lost, and none was stored twice." if whole else f"{lost} readings were lost and {doubled} doubled."
    not_run = f" {len(broken)} rows could not be run here; they say why." if broken else ""
    paths = len({case.partition("/")[0] for case in found if not case.startswith(PEERS)})
    return f"""{what} That is {acknowledged:,} acknowledged readings in {len(run)} rows of faults on {paths} {"path" if paths == 1 else "paths"}, each held
against the store when all was over.{not_run} What is promised, and what is not: [guarantees.md](guarantees.md)."""


def _table(found: Mapping[str, Any], chosen: Mapping[str, FaultRow]) -> str:
    lines = [
        "| Fault | Path | Runs | Published | Acknowledged | Stored | Lost | Doubled | Back after | Beside it |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, row in chosen.items():
        for path, title in PATHS.items():
            outcome = found.get(f"{path}/{name}")
            if outcome:
                lines.append(_line(row.title, title, outcome))
    return "\n".join(lines)


def _line(fault: str, path: str, o: Mapping[str, Any]) -> str:
    if "error" in o:
        return f"| {fault} | {path} | – | – | – | – | – | – | – | could not be run: {_cell(o['error'])} |"
    numbers = " | ".join(f"{o[name]:,}" for name in ("runs", "published", "acknowledged", "stored"))
    return f"| {fault} | {path} | {numbers} | **{o['lost']:,}** | **{o['doubled']:,}** | {recovery(o['recover_s']) or '–'} | {_cell(o['note'])} |"


def _peers(found: Mapping[str, Any]) -> str:
    lines = ["| Fault | Ingest | Published | Acknowledged | Stored | Lost | Doubled |", "|---|---|--:|--:|--:|--:|--:|"]
    names = {**{form: f"script, {form}" for form in FORMS}, "paho": "`canhman ingest`, paho-mqtt", "own": "`canhman ingest`, own client"}
    for name, row in ROWS.items():
        for form, title in names.items():
            o = found.get(f"{PEERS}:{form}/{name}")
            if o and "error" not in o:
                numbers = " | ".join(f"{o[key]:,}" for key in ("published", "acknowledged", "stored"))
                lines.append(f"| {row.title} | {title} | {numbers} | **{o['lost']:,}** | **{o['doubled']:,}** |")
    return "\n".join(lines)


def _machine(data: Mapping[str, Any]) -> str:
    days: Iterable[str] = sorted({o["on"][:10] for o in data["cases"].values() if "on" in o})
    about = "\n".join(f"| {name} | {_cell(value)} |" for name, value in data["machine"].items())
    return f"| | |\n|---|---|\n| Run on | {', '.join(days)} |\n{about}"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def now() -> str:
    """When a case was run."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
