"""What the ensemble costs: `python bench/day_model.py [JOBS]` (2).

Training 40 stations × 3 dry seasons for leads 1 to 14, and saying all 14 of 1,000 stations at the end of one day from the warm model. Seconds of the
clock, and the size of the model. Run it with OMP_NUM_THREADS=1: one process for each core, no threads within.
"""

from __future__ import annotations

import pickle
import sys
import time
from dataclasses import replace

import numpy as np

from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.panel import TWELFTHS, Daily
from analytics.packing import packed

LEADS = tuple(range(1, 15))
LINES = (0.5, 1.0, 2.0, 4.0)
STATIONS, SEASONS, SEASON = 40, 3, 180
MANY = 1000


def world(stations: int) -> Daily:
    """Seasons of salt from January to June, with gaps, and the course of each day."""
    rng = np.random.default_rng(0)
    days = np.arange("2020-01-01", f"{2020 + SEASONS - 1}-07-01", dtype="datetime64[D]")
    t = np.arange(len(days))[:, None]
    slow = np.cumsum(rng.normal(0, 0.1, (len(days), stations)), axis=0)
    slow -= np.linspace(0, 1, len(days))[:, None] * slow[-1]
    target = np.exp(0.6 * np.cos(2 * np.pi * (t - 90) / 365.25) + 0.5 * np.cos(2 * np.pi * t / 14.765) + 0.5 * slow + rng.normal(0, 0.1, (len(days), stations)))
    target[rng.random(target.shape) < 0.04] = np.nan
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    target[month >= SEASON // 30] = np.nan
    parts = {"high": target, "low": 0.4 * target, "mean": 0.7 * target, "last": 0.8 * target, "evening": 0.75 * target}
    within = 0.7 + 0.3 * np.cos(4 * np.pi * (np.arange(TWELFTHS)[:, None, None] / TWELFTHS - t / 14.765))  # two tides, later every day
    return Daily(
        zone="Asia/Ho_Chi_Minh", days=days, stations=tuple(f"s{i}" for i in range(stations)), target=target, drivers={}, course=target * within, **parts
    )


def main(jobs: int) -> None:
    """Train, say, print."""
    daily = world(STATIONS)
    begun = time.perf_counter()
    model = fit_ensemble(daily, LEADS, LINES, jobs=jobs)
    learned = sum(lead.bare is not None for lead in model.leads.values())
    print(f"training {STATIONS} stations x {SEASONS} seasons, {learned} of {len(LEADS)} leads, {jobs} jobs: {time.perf_counter() - begun:.0f} s")
    many = world(MANY)
    many = replace(many, target=np.where(np.isfinite(many.target), many.target, 1.0))
    every = np.arange(MANY, dtype=np.int64)
    for name in ("cold", "warm"):
        begun = time.perf_counter()
        model.say(many, np.full(MANY, len(many.days) - 1), every)
        print(f"saying {MANY} stations x {len(LEADS)} leads, {name}: {time.perf_counter() - begun:.1f} s")
    print(f"the model: {len(pickle.dumps(model)) / 1e6:.0f} MB of arrays, {len(packed(model)) / 1e6:.0f} MB as a file")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
