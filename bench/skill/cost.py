"""What training and saying cost, in seconds of the clock, training on two processors: measure them while nothing else runs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import parallel_config

from analytics.daily.model import DayModel
from bench.day_model import LEADS, LINES, MANY, SEASONS, STATIONS, world
from bench.skill.store import key_of

PROCESSORS = 2
START = ("analytics/daily/models/*.py", "bench/day_model.py", "bench/skill/cost.py")


def key(model: DayModel) -> str:
    """What it depends on, but for the machine."""
    return key_of((model.name, model.version), (), start=START)


def measured(model: DayModel) -> Any:
    """Training on seasons of many stations, and every lead of one day at very many from the warm model."""
    daily, many = world(STATIONS), world(MANY)
    many = replace(many, target=np.where(np.isfinite(many.target), many.target, 1.0))
    begun = time.perf_counter()
    with parallel_config(n_jobs=PROCESSORS):
        fitted = model.fit(daily, LEADS, LINES)
    trained = time.perf_counter() - begun
    every, last = np.arange(MANY, dtype=np.int64), np.full(MANY, len(many.days) - 1)
    fitted.say(many, last, every)
    begun = time.perf_counter()
    fitted.say(many, last, every)
    said = time.perf_counter() - begun
    return {
        "training": {"stations": STATIONS, "seasons": SEASONS, "seconds": round(trained)},
        "saying": {"stations": MANY, "seconds": round(said, 1)},
        "leads": len(LEADS),
    }
