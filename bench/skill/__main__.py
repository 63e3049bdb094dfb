"""`make skill`: try the forecasts on every set that is here, and write docs/skill.md, docs/skill.json and docs/skill/*.svg.

`python -m bench.skill [--data DIR] [--docs DIR] [--kept DIR] [--jobs N]`. The same data and code give the same bytes. What is done stays in
.make/skill; a part is worked out again only where its code, its data or a library changed, so it may be ended at any time.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from joblib import parallel_config

from analytics.daily.model import day_models
from analytics.hourly.model import hour_models
from analytics.hourly.verify import SHIPPED
from bench.skill import goals
from bench.skill.page import write
from bench.skill.parts import Plan, parts
from bench.skill.store import ROOT, Store
from bench.skill.work import gathered, waiting, work
from canhman import terminal
from canhman.backtesting import MODEL
from core.errors import CanhManError

SETS = ("mekong", "rhine_meuse", "california_delta", "delaware", "mekong_all", "mekong_min")


def main(words: list[str]) -> int:
    """0 where the page was written."""
    given = _options(words)
    plan = Plan(
        sets={name: ROOT / f"docs/datasets/{name}.toml" for name in SETS},
        whole=goals.SETS,
        left_out="mekong",
        hours="mekong",
        data=given.data,
        model=day_models()[MODEL],
        hour_model=hour_models()[SHIPPED],
        costs=True,
    )
    store = Store(folder=given.kept)
    try:
        every = parts(plan)
        todo = waiting(every, store)
        terminal.say(f"{len(every)} parts, {len(every) - len(todo)} of them kept; the rest takes about {sum(part.weight for part in todo) / 60:.0f} min")
        with terminal.progress("skill", len(todo)) as bar:
            done = 0

            def told(name: str, seconds: float | None) -> None:
                nonlocal done
                if seconds is not None:
                    done += 1
                    terminal.say(f"{name}: {seconds:.0f} s")
                bar(done, name)

            with parallel_config(n_jobs=given.jobs):
                values = work(every, store, told)
    except CanhManError as error:
        terminal.say(str(error))
        return 1
    for path in write(gathered(plan, values), given.docs):
        terminal.say(f"written: {path}")
    return 0


def _options(words: list[str]) -> argparse.Namespace:
    shared = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared"))
    form = argparse.ArgumentParser(prog="make skill", description="Try the forecasts on every set, and write docs/skill.md.")
    form.add_argument("--data", type=Path, default=shared / "data", help="folder of the measured data (default: data in SHARED_DIR)")
    form.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    form.add_argument("--kept", type=Path, default=ROOT / ".make/skill", help="where results are kept")
    form.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that learn side by side (default: one for each core)")
    return form.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
