"""The hourly course and its water windows: how good, and what they cost.

`python bench/windows.py DATASET.toml DATA` learns from a two-hourly (or hourly) set until its train_until and prints the score from test_from on.
`python bench/windows.py` alone measures: training 10 stations × 2 seasons, and saying 72 hours of 1,000 stations. Seconds of the clock and of one processor.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from analytics.hourly.model import hour_models
from analytics.hourly.panel import Hourly
from analytics.hourly.verify import HourSkill, skill_of_hours
from canhman.backtesting import load, read_spec
from core.forecast import HOUR_MS

STATIONS, DAYS, MANY = 10, 300, 1000


def world(stations: int, days: int) -> Hourly:
    """Tides with springs and neaps, a slow course and noise, read every two hours with gaps."""
    rng = np.random.default_rng(0)
    t = np.arange(24 * days)[:, None]
    tide = np.sin(2 * np.pi * t / 12.42) * (1 + 0.5 * np.cos(2 * np.pi * t / 354.37))
    slow = np.cumsum(rng.normal(0, 0.02, (len(t), stations)), axis=0)
    value = np.round(np.exp(0.4 * tide + slow - slow.mean(axis=0) + rng.normal(0, 0.05, slow.shape)), 2)
    value[1::2] = np.nan
    value[rng.random(value.shape) < 0.03] = np.nan
    return Hourly(
        zone="Asia/Ho_Chi_Minh", start=1_577_836_800_000 // HOUR_MS * HOUR_MS, stations=tuple(str(i) for i in range(stations)), value=value, begun=value.copy()
    )


def cost() -> None:
    """Train, say, print."""
    model = hour_models()["boosted"]
    begun, used = time.perf_counter(), time.process_time()
    fitted = model.fit(world(STATIONS, DAYS))
    print(f"training {STATIONS} stations x {DAYS} days: {time.perf_counter() - begun:.0f} s, processor {time.process_time() - used:.0f} s")
    many = world(MANY, 77)
    every = np.arange(MANY, dtype=np.int64)
    for name in ("cold", "warm"):
        begun, used = time.perf_counter(), time.process_time()
        fitted.say(many, np.full(MANY, len(many.value) - 1), every)
        print(f"saying {MANY} stations x 72 h, {name}: {time.perf_counter() - begun:.1f} s, processor {time.process_time() - used:.1f} s")


def tell(skill: HourSkill) -> None:
    """Three tables."""
    print(f"{skill.name}: {skill.model} {skill.version}, learned until {skill.learned_until}, tested {skill.test_from} to {skill.test_until}")
    print("windows        n      safe  precision share | same hour yesterday: precision share")
    for w in skill.windows:
        print(f"{w.hours:>2} h {w.cases:<6}{w.n:>7}   {w.safe:.3f}  {w.precision:.3f}     {w.share:.3f} | {w.yesterday_precision:.3f} {w.yesterday_share:.3f}")
    print("leads      n     pinball  in 90 %  in 50 %  Brier  | persistence n, pinball, in 90 %, Brier; the model there: pinball, Brier")
    for c in skill.course:
        print(
            f"{c.first:>2}-{c.last:<2} {c.n:>8}   {c.pinball:.4f}   {c.coverage90:.3f}    {c.coverage50:.3f}   {c.brier:.4f} | {c.persistence_n} "
            f"{c.persistence_pinball:.4f} {c.persistence_coverage90:.3f} {c.persistence_brier:.4f}; {c.against_pinball:.4f} {c.against_brier:.4f}"
        )
    print("chances of leads 1 to 6 at any line: n, said, came | persistence")
    for o in skill.low:
        print(
            f"{'each hour' if o.hours == 1 else 'highest of 6'} {o.low:.2f}-{o.high:.2f}: {o.n:>6} {o.said:.4f} {o.came:.4f} | "
            f"{o.persistence_n:>6} {o.persistence_said:.4f} {o.persistence_came:.4f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        file = Path(sys.argv[1])
        tell(skill_of_hours(load(read_spec(file), file, Path(sys.argv[2]))))
    else:
        cost()
