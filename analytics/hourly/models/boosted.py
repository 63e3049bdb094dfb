"""Boosted trees that state the odds of lying over any line: told the station's own course, the tide ahead, and the line itself.

One classifier for all hours, stations and lines: the line is one of its inputs, salinity stands relative to it, and the trees are bound to odds that fall
as it rises. So the chance of each line, of any limit, and the quantiles, where the odds pass 95 to 5 %, are of one distribution. Nothing
knows a station by name; a point of 3 days is spoken of, with what it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.hourly.features import LEVELS, told, windows
from analytics.hourly.learning import examples
from analytics.hourly.model import LEADS, HourModel, SaidHours
from analytics.hourly.panel import Floats, Hourly, Index
from analytics.hourly.trees import LEAVES, BoostedTrees, trees_of
from core.bands import LINES
from core.forecast import QUANTILES

LEAST = 4_000  # examples: under so many it says nothing
_AT_ONCE = 4608  # (issue, lead)s: what they need stays small, and few of them cost as much as many
_SURE = 1e-4  # no chance is said beyond
_COARSE = np.array([-1.6, -0.8, -0.4, -0.15, 0.0, 0.15, 0.4, 0.8, 1.6])  # lines about the source's value that are asked about first, in log1p
_FINE = (0.02, 0.05, 0.15, 0.25, 0.4, 0.5, 0.6, 0.75, 0.85, 0.95, 0.98)  # then those where these chances of lying under are thought to be
_LINES = np.log1p(np.array(LINES))
_GROUPS = {  # inputs by what they tell of; a level among them is moved as much as its difference from the source's value
    "tide": re.compile(r"tide|turn|springs"),
    "course": re.compile(r"back2_back|.*_(day|week)$"),
    "day": re.compile(r"(now|half)_back|before|after|now_3|same_hour"),
}
_LEVEL_OF = {f"{level}_back": level for level in ("springs", "back2", "now", "half")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Rows of a block of issues: `block` of them, the (issue, lead)s `where` something is known, their `levels` (9, r), `rest` (f, r), `floor` (r,).

    `floor`: what the hour has reached already, in log1p; −∞ where it has not begun.
    """

    block: slice
    where: NDArray[np.bool_]
    levels: Floats
    rest: Floats
    floor: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """Chances of lying `over` each of `lines` (r, m), which stand in any order, in log1p."""

    lines: Floats
    over: Floats

    def at(self, chances: Sequence[float]) -> Floats:
        """Where the chance of lying under is each of these (r, c), linear between lines; at the outermost where none is beyond."""
        order = np.argsort(self.lines, axis=1, kind="stable")
        lines, under = np.take_along_axis(self.lines, order, axis=1), 1 - np.take_along_axis(self.over, order, axis=1)
        found = np.empty((len(lines), len(chances)))
        rows = np.arange(len(lines))
        for place, chance in enumerate(chances):
            after = (under < chance).sum(axis=1)
            a, z = np.clip(after - 1, 0, lines.shape[1] - 1), np.clip(after, 0, lines.shape[1] - 1)
            rise = under[rows, z] - under[rows, a]
            share = np.clip(np.divide(chance - under[rows, a], rise, out=np.ones(len(rows)), where=rise > 0), 0.0, 1.0)
            found[:, place] = lines[rows, a] + share * (lines[rows, z] - lines[rows, a])
        return np.maximum.accumulate(found, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedHours:
    """`names`: the trees' inputs after the line and `LEVELS` relative to it, `usual` what each of them usually was when it learned.

    `trees` is None where too little was known to learn from.
    """

    names: tuple[str, ...]
    usual: Floats
    trees: BoostedTrees | None

    def say(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int] = LEADS) -> SaidHours:
        """See `analytics.hourly.model.FittedHours`."""
        quantiles = np.full((len(hour), len(leads), len(QUANTILES)), np.nan)
        p_gt = np.full((len(hour), len(leads), len(LINES)), np.nan)
        for one in self._asked(hourly, hour, station, leads):
            curve = self._curve(one)
            p_gt[one.block][one.where] = curve.over[:, : len(_LINES)]
            quantiles[one.block][one.where] = np.expm1(np.maximum(curve.at(QUANTILES), one.floor[:, None]))
        return SaidHours(quantiles=quantiles, p_gt=p_gt)

    def p_le(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int], limit: float) -> Floats:
        """See `analytics.hourly.model.FittedHours`."""
        found = np.full((len(hour), len(leads)), np.nan)
        for one in self._asked(hourly, hour, station, leads):
            found[one.block][one.where] = 1 - self._over(one, np.full((len(one.floor), 1), np.log1p(limit)))[:, 0]
        return found

    def effects(self, hourly: Hourly, hour: Index, station: Index, lead: int) -> Mapping[tuple[str, str], Floats]:
        """See `analytics.hourly.model.ExplainedHours`."""
        found = {(code, ""): np.full((len(hour), 1), np.nan) for code in _GROUPS}
        for one in self._asked(hourly, hour, station, (lead,)):
            said = np.expm1(self._curve(one).at((0.5,))[:, 0])
            for code, names in _GROUPS.items():
                found[code, ""][one.block][one.where] = said - np.expm1(self._curve(self._without(one, names)).at((0.5,))[:, 0])
        return {group: values[:, 0] for group, values in found.items()}

    def _without(self, one: _Asked, names: re.Pattern[str]) -> _Asked:
        """As if these inputs were as they usually are."""
        levels, rest = one.levels.copy(), one.rest.copy()
        for place, name in enumerate(self.names):
            if names.match(name):
                rest[place] = np.where(np.isfinite(rest[place]), self.usual[place], np.nan)
                if name in _LEVEL_OF:
                    levels[LEVELS.index(_LEVEL_OF[name])] += np.nan_to_num(rest[place] - one.rest[place])
        return replace(one, levels=levels, rest=rest)

    def _curve(self, one: _Asked) -> _Curve:
        """The chances at LINES first, then at lines about where they pass."""
        back, now = one.levels[:2]
        middle = np.where(np.isfinite(back), back, now)[:, None]
        lines = np.concatenate((np.broadcast_to(_LINES, (len(back), len(_LINES))), np.maximum(middle + _COARSE, 0.0)), axis=1)
        over = self._over(one, lines)
        fine = _Curve(lines=lines, over=over).at(_FINE)
        return _Curve(lines=np.concatenate((lines, fine), axis=1), over=np.concatenate((over, self._over(one, fine)), axis=1))

    def _asked(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int]) -> Iterator[_Asked]:
        if self.trees is None:
            return
        step = max(_AT_ONCE // max(len(leads), 1), 1)
        for first in range(0, len(hour), step):
            block = slice(first, first + step)
            window = windows(hourly, hour[block], station[block])
            wanted = np.tile(np.array(leads, dtype=np.int64), (len(window), 1))
            one = told(hourly, hour[block], window, wanted)
            where = np.broadcast_to(np.isfinite(one.reading)[:, None], wanted.shape)
            begun = np.where((wanted == 1) & np.isfinite(window[:, -1:]), window[:, -1:], -np.inf)
            nothing = np.full(int(where.sum()), np.nan)
            levels, rest = ([one.columns[n][where] if n in one.columns else nothing for n in names] for names in (LEVELS, self.names))
            yield _Asked(block=block, where=where, levels=np.stack(levels), rest=np.stack(rest), floor=begun[where])

    def _over(self, one: _Asked, lines: Floats) -> Floats:
        """P(over each of `lines` (r, m)), all in log1p, falling in the line."""
        assert self.trees is not None  # noqa: S101 (_asked yields nothing without)
        own = np.concatenate((lines[None], one.levels[:, :, None] - lines), axis=0)
        odds = 1 / (1 + np.exp(-self.trees.score(own, one.rest)))
        return np.where(lines < one.floor[:, None], 1 - _SURE, np.clip(odds, _SURE, 1 - _SURE))


def fit_boosted(hourly: Hourly) -> BoostedHours:
    """See `analytics.hourly.model.FitHours`."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # only what trains pays for it
    from threadpoolctl import threadpool_limits

    found = examples(hourly)
    names = tuple(name for name, column in found.columns.items() if name not in LEVELS and np.isfinite(column).any())
    usual = np.array([float(np.nanmedian(found.columns[name])) for name in names])
    if len(found.line) < LEAST or found.over.min() == found.over.max():
        return BoostedHours(names=names, usual=usual, trees=None)
    rows = np.stack([found.line, *(found.columns[n] - found.line for n in LEVELS), *(found.columns[n] for n in names)], axis=1)
    rows[:, np.isnan(rows).all(axis=0)] = 0.0  # what was never known (the springs before, in a first fortnight) is never asked about
    falling = [-1, *(1 for _ in LEVELS), *(0 for _ in names)]
    grown = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.05,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=60,
        l2_regularization=5,
        max_features=0.3,
        monotonic_cst=falling,
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1):  # the same sums in the same order, however many threads there are
        grown.fit(rows, found.over > 0.5)
    return BoostedHours(names=names, usual=usual, trees=trees_of(grown))


HOUR_MODEL = HourModel(name="boosted", version="1", fit=fit_boosted)
