"""What the model of hours learns from: hours that came, seen from issues before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.hourly.features import MEMORY, OLDEST, told, windows
from analytics.hourly.model import LEADS
from analytics.hourly.panel import Floats, Hourly, Index
from core.bands import LINES

ROWS = 90_000  # (issue, lead)s, at most: of a season's issues many are alike, and more taught it nothing
TWICE = 2  # lines asked about of each
_LEADS = 8  # of an issue
_NEAR = 8  # hours: a quarter of the leads are no longer, for what is said of them is acted on
_YOUNG, _FEWEST = 0.12, 3.0  # share of issues that are shown only the last days, and how many days at least
_LATE = (0.6, 0.2, 0.05, 0.05, 0.04, 0.03, 0.03)  # how often the last reading that is shown is so many hours old or older
_CENTRES = {"back": 0.5, "now": 0.1, "high": 0.15, "low": 0.15, "mean": 0.1}  # about which lines are drawn, and how often
_SPREAD = 0.2  # of lines about them, in log1p
_BLOCK = 4096  # issues at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """(r,) each: columns by name, `line` that was asked about [log1p], and whether the hour was `over` it."""

    columns: Mapping[str, Floats]
    line: Floats
    over: Floats


def examples(hourly: Hourly) -> Examples:
    """Issues at any hour, whole weeks or a few days known, with fresh and with late readings. Deterministic."""
    draw = np.random.default_rng(0)
    seen = np.isfinite(hourly.value)
    total = np.concatenate((np.zeros((1, seen.shape[1]), dtype=np.int64), np.cumsum(seen, axis=0)))[:-1]  # read before each hour
    read = total > total[np.maximum(np.arange(len(total)) - OLDEST, 0)]
    hour, station = (i.astype(np.int64) for i in np.nonzero(read))
    some = np.sort(draw.permutation(len(hour))[: 3 * ROWS // _LEADS])
    hour, station = hour[some], station[some]
    leads = draw.integers(1, len(LEADS) + 1, (len(hour), _LEADS))
    near = draw.random(leads.shape) < 0.25
    leads = np.where(near, draw.integers(1, _NEAR + 1, leads.shape), leads)
    columns, came = _known(hourly, hour, station, leads, _shown(len(hour), draw))
    kept = np.sort(draw.permutation(len(came))[:ROWS])
    columns, came = {name: column[kept] for name, column in columns.items()}, came[kept]
    lines = np.concatenate([_lines(columns, draw) for _ in range(TWICE)])
    return Examples(columns={name: np.tile(c, TWICE) for name, c in columns.items()}, line=lines, over=(np.tile(came, TWICE) > lines).astype(np.float64))


def _shown(n: int, draw: np.random.Generator) -> Index:
    """From which place of its window an issue is shown, and to which (n, 2): some are young, some have late readings."""
    days = np.where(draw.random(n) < _YOUNG, draw.uniform(_FEWEST, MEMORY / 24, n), MEMORY)
    late = draw.choice(len(_LATE), n, p=_LATE)
    return np.stack((np.maximum(np.ceil(MEMORY - 24 * days), 0), MEMORY - late), axis=1).astype(np.int64)


def _known(hourly: Hourly, hour: Index, station: Index, leads: Index, shown: Index) -> tuple[dict[str, Floats], Floats]:
    """Columns and what came (r,) in log1p, of what was read. Not of an hour that has begun with a reading: of readings every two hours that is all of it."""
    parts, came = [], []
    place = np.arange(MEMORY)
    for first in range(0, max(len(hour), 1), _BLOCK):
        some = slice(first, first + _BLOCK)
        window = windows(hourly, hour[some], station[some])
        window = np.where((place >= shown[some, :1]) & (place < shown[some, 1:]), window, np.nan)
        one = told(hourly, hour[some], window, leads[some])
        target = hour[some, None] + leads[some] - 1
        truth = np.where(target < len(hourly.value), hourly.value[np.minimum(target, len(hourly.value) - 1), station[some, None]], np.nan)
        good = np.isfinite(truth) & np.isfinite(one.reading)[:, None] & ((one.reading > 0)[:, None] | (leads[some] > 1))
        parts.append({name: column[good] for name, column in one.columns.items()})
        came.append(np.log1p(truth[good]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, np.concatenate(came)


def _lines(columns: Mapping[str, Floats], draw: np.random.Generator) -> Floats:
    """One for each row: one of LINES, or one about what the row knows; never chosen by what came, which would teach odds that are not."""
    n = len(columns["now"])
    centres = np.stack([columns[name] for name in _CENTRES], axis=1)
    centre = centres[np.arange(n), draw.choice(len(_CENTRES), n, p=list(_CENTRES.values()))]
    centre = np.where(np.isfinite(centre), centre, columns["now"])
    about = np.maximum(centre + _SPREAD * draw.standard_t(3, n), 0.0)
    stated = np.log1p(np.array(LINES))[draw.integers(0, len(LINES), n)]
    return np.where(draw.random(n) < 0.5, stated, about)
