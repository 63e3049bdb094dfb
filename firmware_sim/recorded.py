"""A recorded file of our own making, in the shape in which officers' two-hourly salinity comes: for tests and trials without their data.

37 stations, 84,357 rows, the dry seasons of 2020 (about 15 days a month), 2021 and 2022, odd local hours, gaps, one decimal, 0.0 to 40.0.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_sim.estuary import HOUR_MS, LOCAL_MS, true_salinity
from firmware_sim.noise import normal, seed_of, uniform
from firmware_sim.rivers import CAI_LON, HAU

ROWS = 84_357
HEADER = "station,time_local,salinity_g_L"
_TOP = 40.0

_HALF_MONTHS = tuple(f"2020-{m:02d}" for m in range(1, 7))
_WHOLE_MONTHS = tuple(f"{y}-{m:02d}" for y in (2021, 2022) for m in range(1, 6))


@dataclass(frozen=True, slots=True)
class _Kind:
    """So many stations with these half months (15 days) and whole months."""

    stations: int
    half: tuple[str, ...]
    whole: tuple[str, ...]


_KINDS = (
    _Kind(12, _HALF_MONTHS, _WHOLE_MONTHS),
    _Kind(2, (), _WHOLE_MONTHS),
    _Kind(17, _HALF_MONTHS, ()),
    _Kind(1, _HALF_MONTHS[:4], ()),
    _Kind(5, _HALF_MONTHS[1:3], ()),
)


def _month(month: str) -> NDArray[np.datetime64]:
    return np.arange(np.datetime64(month, "D"), (np.datetime64(month, "M") + 1).astype("datetime64[D]"))


def _days(kind: _Kind, seed: int) -> NDArray[np.datetime64]:
    """The local days a station measured: whole months, and of the half ones fifteen days in runs of one to four."""
    days = []
    for month in kind.half:
        all_days = _month(month)
        order = np.arange(len(all_days))
        runs = np.repeat(uniform(seed_of(seed, month), order), 1 + (order + seed) % 4)[: len(order)]
        days.append(all_days[np.sort(np.argsort(runs, kind="stable")[:15])])
    return np.concatenate([*days, *map(_month, kind.whole)])


def _stations(seed: int) -> list[tuple[str, NDArray[np.int64], NDArray[np.float64]]]:
    """(name, local times [ms], salinity [g/L]) of each station, before gaps and scale."""
    found = []
    kinds = [kind for kind in _KINDS for _ in range(kind.stations)]
    for i, kind in enumerate(kinds):
        own = seed_of(seed, "recorded", i)
        hours = _days(kind, own).astype("datetime64[ms]").astype(np.int64)[:, None] + np.arange(1, 24, 2) * HOUR_MS
        times = hours.ravel()
        estuary = replace((HAU, CAI_LON)[i % 2], seed=seed)
        km = 2.0 + 68.0 * ((i * 0.618) % 1.0)
        salt = true_salinity(estuary, km, times - LOCAL_MS) - estuary.fresh
        found.append((f"tram{i + 1:02d}", times, np.asarray(salt * (1.0 + 0.03 * normal(own, times)), dtype=np.float64)))
    return found


def _gaps(count: int, surplus: int, seed: int) -> NDArray[np.bool_]:
    """Which of `count` rows stay when `surplus` of them are lost, in runs of a few hours."""
    keep = np.ones(count, dtype=np.bool_)
    starts = np.argsort(uniform(seed_of(seed, "gaps"), np.arange(count)), kind="stable")
    for start in starts:
        if surplus == 0:
            break
        run = np.arange(start, min(count, start + 1 + start % 6))
        run = run[keep[run]][:surplus]
        keep[run] = False
        surplus -= len(run)
    return keep


def write_recorded(path: Path, *, seed: int = 1) -> int:
    """Write the file (gzipped, the same bytes for the same seed) and return its number of rows, 84,357."""
    stations = _stations(seed)
    names = np.repeat([name for name, _, _ in stations], [len(times) for _, times, _ in stations])
    times = np.concatenate([times for _, times, _ in stations])
    values = np.concatenate([salt for _, _, salt in stations])
    values = np.round(np.maximum(values, 0.0) * (_TOP / values.max()), 1)
    keep = _gaps(len(values), len(values) - ROWS, seed) | (values == _TOP)
    extra = int(keep.sum()) - ROWS
    if extra:  # a gap would have taken the highest value: lose as many of the last rows instead
        keep[np.flatnonzero(keep & (values < _TOP))[-extra:]] = False
    texts = np.char.replace(np.datetime_as_string(times[keep].astype("datetime64[ms]"), unit="s"), "T", " ")
    lines = [f"{n},{t},{v:.1f}" for n, t, v in zip(names[keep].tolist(), texts.tolist(), values[keep].tolist(), strict=True)]
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
        file.write(("\n".join([HEADER, *lines]) + "\n").encode())
    return len(lines)
