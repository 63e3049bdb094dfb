"""Datasets that a test makes: a season of two-hourly salinity at a few stations, with level and discharge, as CSV files and the TOML that tells of them."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from adapters.csv_columns import read_columns
from analytics.daily.dataset import Dataset, dataset
from analytics.daily.spec import parse_spec

STATIONS = ("an", "binh", "cai")
Row = tuple[str, str, float]  # station, time, value

HEAD = """name = "made"
timezone = "Asia/Ho_Chi_Minh"
thresholds = [1.0, 4.0]
leads_days = [1, 3]
train_until = 2021-04-30
test_from = 2021-05-01
"""
LONG = """[target]
file = "salinity.csv"
time = "time"
station = "station"
value = "salinity"
unit = "g/L"
"""
DRIVERS = """[[driver]]
file = "river.csv"
time = "time"
columns = { discharge = "q" }
stations = "all"
[[driver]]
file = "level.csv"
time = "time"
station = "station"
value = "level"
name = "level"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """What was read, in the order of the files."""

    salinity: tuple[Row, ...]
    level: tuple[Row, ...]
    river: tuple[Row, ...]

    def write(self, folder: Path) -> None:
        """salinity.csv and level.csv in long form, river.csv in wide form."""
        folder.mkdir(parents=True, exist_ok=True)
        long(folder / "salinity.csv", "salinity", self.salinity)
        long(folder / "level.csv", "level", self.level)
        wide(folder / "river.csv", self.river)

    def scrambled_after(self, day: str, seed: int) -> Season:
        """Every number after `day` is another one, and one row in ten is gone."""
        rng = np.random.default_rng(seed)

        def scrambled(rows: Sequence[Row]) -> tuple[Row, ...]:
            kept = []
            for station, time, value in rows:
                if time[:10] <= day:
                    kept.append((station, time, value))
                elif rng.random() > 0.1:
                    kept.append((station, time, round(float(rng.exponential(5)), 2)))
            return tuple(kept)

        return replace(self, salinity=scrambled(self.salinity), level=scrambled(self.level), river=scrambled(self.river))


def season(days: int = 200, *, start: str = "2021-01-01", stations: Sequence[str] = STATIONS, seed: int = 0) -> Season:
    """Salt that comes with springs and goes with the river, at odd hours; a day without any reading now and then."""
    rng = np.random.default_rng(seed)
    begin = datetime.fromisoformat(start)
    flow = np.cumsum(rng.normal(0, 0.1, days))
    salinity, level, river = [], [], []
    for day in range(days):
        spring = np.cos(2 * np.pi * day / 14.765)
        river.append(("q", str((begin + timedelta(days=day)).date()), round(float(900 * np.exp(flow[day])), 1)))
        for at, station in enumerate(stations):
            missing = rng.random() < 0.04
            for hour in range(1, 24, 2):
                tide = np.cos(2 * np.pi * (day * 24 + hour) / 12.42)
                time = str(begin + timedelta(days=day, hours=hour))
                level.append((station, time, round(float(100 * (1 + 0.4 * spring) * tide), 1)))
                if not missing:
                    salt = np.exp(0.6 + 0.3 * at + 0.5 * spring + 0.4 * tide - flow[day] + rng.normal(0, 0.1)) - 0.3
                    salinity.append((station, time, round(max(float(salt), 0.0), 2)))
    return Season(salinity=tuple(salinity), level=tuple(level), river=tuple(river))


def long(path: Path, value: str, rows: Sequence[Row]) -> None:
    """One row per station and time."""
    path.write_text(f"station,time,{value}\n" + "".join(f"{s},{t},{v}\n" for s, t, v in rows), "utf-8")


def wide(path: Path, rows: Sequence[Row]) -> None:
    """One row per time, a column for each station; empty where nothing was read."""
    names = sorted({s for s, _, _ in rows})
    cells: dict[str, dict[str, float]] = {}
    for s, t, v in rows:
        cells.setdefault(t, {})[s] = v
    lines = [",".join([t, *(str(found.get(name, "")) for name in names)]) for t, found in sorted(cells.items())]
    text = "\n".join([",".join(["time", *names]), *lines]) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")


def read(folder: Path, text: str, *, source: str = "made.toml") -> Dataset:
    """The dataset of this TOML on the files of `folder`."""
    return dataset(parse_spec(tomllib.loads(text), source), lambda file, wanted: read_columns(folder / file, wanted))


def without(text: str, changes: Mapping[str, str]) -> str:
    """`text` with each piece put in another's place; each must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
