"""`make bench`: the speed record.

    python -m bench.ingest [--part NAME …] [--again] [--small] [--json]

Real servers on free ports, folders that go away; parts that are done are kept in .make/bench. Writes docs/speed.md, speed.json and speed.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from bench.ingest import page
from bench.ingest.parts import PARTS, SMALL, Size
from bench.ingest.spent import machine_s
from bench.load import ROOT
from canhman import terminal


def main(words: list[str]) -> int:
    """0 where every part could be measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # every server of ours ends with us
    given = _options(words)
    size = SMALL if given.small else Size(rounds=given.rounds)
    file = given.kept / ("small.json" if given.small else "full.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() and not (given.again and not given.part) else {}
    unknown = set(given.part) - set(PARTS)
    if unknown:
        terminal.say(f"no part is called {sorted(unknown)[0]}; known: {', '.join(PARTS)}")
        return 2
    todo = [name for name in PARTS if (name in given.part if given.part else name not in found)]
    terminal.say(f"{len(PARTS)} parts, {len(PARTS) - len(todo)} kept or left out; the rest takes about {sum(PARTS[n].seconds for n in todo) / 60:.0f} min")
    failed = []
    with terminal.progress("bench", len(todo), quiet=given.json) as bar:
        for number, name in enumerate(todo):
            bar(number, PARTS[name].about)
            busy = _busy()
            began = time.monotonic()
            try:
                measured = PARTS[name].run(size, terminal.say)
            except Exception as error:  # noqa: BLE001 the other parts are measured all the same
                failed.append(name)
                terminal.say(f"{name} could not be measured:\n{''.join(traceback.format_exception(error))[-4000:]}", style="red")
                continue
            about = {"on": page.now(), "cores": os.cpu_count() or 0, "busy": round(busy, 1), "took_s": round(time.monotonic() - began)}
            found[name] = measured | about
            file.write_text(json.dumps(found, ensure_ascii=False, indent=1))
            terminal.say(f"{name}: {time.monotonic() - began:.0f} s")
            bar(number + 1, name)
    if given.json:
        terminal.as_json(found)
    if not given.small:
        for path in page.write(found, given.docs):
            terminal.say(f"written: {path}")
    return 1 if failed else 0


def _busy(seconds: float = 1.0) -> float:
    """How many cores others fill while we do nothing."""
    before, began = machine_s(), time.monotonic()
    time.sleep(seconds)
    return (machine_s() - before) / (time.monotonic() - began)


def _options(words: list[str]) -> argparse.Namespace:
    form = argparse.ArgumentParser(prog="make bench", description="Measure the whole path with real servers, and write docs/speed.md.")
    form.add_argument("--part", action="append", default=[], help=f"only this part (again, even where it is kept): {', '.join(PARTS)}")
    form.add_argument("--again", action="store_true", help="measure everything again")
    form.add_argument("--small", action="store_true", help="a few thousand messages a part, to see that it runs; nothing is written")
    form.add_argument("--rounds", type=int, default=3, help="rounds of each; the page tells medians")
    form.add_argument("--json", action="store_true", help="figures as JSON")
    form.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    form.add_argument("--kept", type=Path, default=ROOT / ".make/bench", help="where figures are kept")
    return form.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
