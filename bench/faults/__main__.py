"""`make faults`: the fault record.

    python -m bench.faults [--short] [--row NAME …] [--path paho|own|listener …] [--json] [--again] [--jobs 2]

Real Mosquitto, InfluxDB and `canhman ingest` on free ports of this machine, in folders that go away. Writes docs/faults.md and
docs/faults.json (the full form only); what is done is kept in .make/faults and not run again unless `--again`.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.faults import page
from bench.faults.run import cases, kept, rows, run
from bench.peers.rows import ROWS
from canhman import terminal

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """0 where no row that is ours lost or doubled anything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # every server of ours ends with us
    given = _options(words)
    known = [*rows(), *(name for name in ROWS if name not in rows())]
    unknown = set(given.row) - set(known)
    if unknown:
        terminal.say(f"no row is called {sorted(unknown)[0]}; known: {', '.join(known)}")
        return 2
    file = given.kept / ("short.json" if given.short else "full.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    found = {} if given.again and not given.row else kept(file)
    every = cases(given.row, given.path)
    todo = [case for case in every if given.again or given.row or given.short or "outcome" not in found.get("/".join(case), {})]
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    terminal.say(f"{len(every)} rows over paths, {len(every) - len(todo)} of them kept; seed {seed}")
    with terminal.progress("faults", len(todo), quiet=given.json) as bar:
        count = 0

        def done(path: str, name: str, result: Mapping[str, Any]) -> None:
            nonlocal count
            count += 1
            found[f"{path}/{name}"] = dict(result) | {"seed": seed, "on": page.now()}
            file.write_text(json.dumps(found, ensure_ascii=False, indent=1))
            terminal.say(page.line(path, name, result))
            bar(count, name)

        run(todo, short=given.short, seed=seed, jobs=given.jobs, told=lambda what: bar(count, what), done=done)
    if given.json:
        terminal.as_json({"/".join(case): found["/".join(case)] for case in every if "/".join(case) in found})
    if not given.short:
        for path in page.write(found, given.docs):
            terminal.say(f"written: {path}")
    return 1 if page.failed(found, [f"{path}/{name}" for path, name in every]) else 0


def _options(words: list[str]) -> argparse.Namespace:
    form = argparse.ArgumentParser(prog="make faults", description="Run the fault suite with real servers, and write docs/faults.md.")
    form.add_argument("--short", action="store_true", help="a few hundred messages a row; nothing is written")
    form.add_argument("--row", action="append", default=[], help="only this row (again, even where it is kept)")
    form.add_argument("--path", action="append", default=[], help="only this path: paho, own, listener, peers:synchronous, peers:batching, peers:paho …")
    form.add_argument("--json", action="store_true", help="results as JSON")
    form.add_argument("--again", action="store_true", help="run everything again")
    form.add_argument("--seed", type=int, help="repeats the moments of an earlier run")
    form.add_argument("--jobs", type=int, default=2, help="paths side by side")
    form.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    form.add_argument("--kept", type=Path, default=ROOT / ".make/faults", help="where results are kept")
    return form.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
