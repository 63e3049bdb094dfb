"""Parts are made or found kept, and gathered into what docs/skill.json holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analytics.daily.intervals import less_rmse_interval, share_interval
from analytics.daily.skill import Blocks
from bench.leave_station_out import Left, together
from bench.skill import figures
from bench.skill.parts import COST, HOURS, Part, Plan
from bench.skill.store import Store

_SLIM = ("station", "n", "rmse", "nse", "coverage90")
Told = Callable[[str, float | None], None]  # (part, seconds it took; None where it begins)


def work(found: Sequence[Part], store: Store, told: Told) -> dict[str, Any]:
    """Each part's result by its name: kept ones are read, the others made and kept."""
    values = {}
    for part in found:
        kept = store.get(part.name, part.key)
        if kept is None:
            told(part.name, None)
            begun = time.perf_counter()
            value = part.make()
            store.put(part.name, part.key, value, time.perf_counter() - begun)
            told(part.name, time.perf_counter() - begun)
        else:
            value = kept[0]
        values[part.name] = value
    return values


def waiting(found: Sequence[Part], store: Store) -> list[Part]:
    """Those that have to be made."""
    return [part for part in found if store.get(part.name, part.key) is None]


def gathered(plan: Plan, values: Mapping[str, Any]) -> dict[str, Any]:
    """All results as docs/skill.json holds them."""
    stations = [value for name, value in values.items() if name.startswith("left_out-")]
    return {
        "model": plan.model.name,
        "version": plan.model.version,
        "sets": {name: values[name] if name in plan.whole else _slim(values[name]) for name in plan.sets},
        "left_out": _left_figures(plan, stations),
        "hours": values[HOURS],
        "cost": values.get(COST),
    }


def _slim(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of each station the figures that the page of such a set counts."""
    leads = [{**lead, "stations": [{key: one[key] for key in _SLIM} for one in lead["stations"]]} for lead in found["leads"]]
    return {**found, "leads": leads}


def _left_figures(plan: Plan, stations: Sequence[Any]) -> dict[str, Any]:
    every = [_left(row) for rows in stations for row in rows]
    leads = sorted({one.lead for one in every})
    return {
        "set": plan.left_out,
        "leads": [{**_of_left(together(every, lead)), "stations": [_of_left(one) for one in every if one.lead == lead and len(one.day)]} for lead in leads],
    }


def _left(row: Mapping[str, Any]) -> Left:
    numbers = {key: np.array(row[key], dtype=np.float64) for key in ("own", "persistence")}
    day, held = np.array(row["day"], dtype=np.int64), np.array(row["held"], dtype=np.bool_)
    return Left(station=row["station"], lead=row["lead"], day=day, held=held, **numbers)


def _of_left(one: Left) -> dict[str, Any]:
    blocks = Blocks.of(one.day)
    return {
        "station": one.station,
        "lead": one.lead,
        "n": len(one.day),
        "rmse": figures.brief(float(one.own.mean() ** 0.5)),
        "rmse_persistence": figures.brief(float(one.persistence.mean() ** 0.5)),
        "below": figures.ends(less_rmse_interval(one.own, one.persistence, blocks)),
        "coverage90": figures.ends(share_interval(one.held, blocks)),
    }
