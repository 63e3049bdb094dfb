"""The issues a model learns from: every day with a value, or a draw of them where they are so many that more cost time only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.daily.dressing import Scale
from analytics.daily.panel import Daily, Floats, Index
from analytics.daily.spread import seasons

MOST_ISSUES = 20_000  # docs/decisions/0021


@dataclass(frozen=True, slots=True, kw_only=True)
class Issues:
    """`day` (k,) and `station` (k,): indices of a panel, by day."""

    day: Index
    station: Index

    @classmethod
    def of(cls, daily: Daily, scale: Scale, most: int = MOST_ISSUES) -> Issues:
        """All of a panel, or `most` of them: see `drawn`."""
        day, station = (i.astype(np.int64) for i in np.nonzero(np.isfinite(daily.target)))
        if len(day) <= most:
            return cls(day=day, station=station)
        some = drawn(seasons(daily.days[day], scale.of(daily.target[day, station])), station, most)
        return cls(day=day[some], station=station[some])

    def came(self, daily: Daily, lead: int) -> Floats:
        """(k,): what came `lead` days later; NaN where that is not known."""
        later = self.day + lead < len(daily.days)
        found = np.full(len(self.day), np.nan)
        found[later] = daily.came[self.day[later] + lead, self.station[later]]
        return found


def drawn(season: Index, station: Index, most: int) -> Index:
    """Places (`most`,), rising, of issues (n,) in their season and at their station, n > `most`. Deterministic.

    As many of each season, and in it as many of each station; one that has fewer keeps them all, and the others share what it leaves.
    """
    draw = np.random.default_rng(0)
    share = np.zeros(len(season), dtype=np.int64)
    cell, n = np.unique(np.stack((season, station)), axis=1, return_counts=True)
    found, of = np.unique(season, return_counts=True)
    shares = np.empty_like(n)
    for one, wanted in zip(found, _shares(of, most, draw), strict=True):
        here = cell[0] == one
        shares[here] = _shares(n[here], int(wanted), draw)
    order = np.lexsort((draw.random(len(season)), station, season))
    share[order] = np.repeat(shares, n)
    rank = np.empty_like(share)
    rank[order] = np.arange(len(season)) - np.repeat(np.cumsum(n) - n, n)
    return np.nonzero(rank < share)[0].astype(np.int64)


def _shares(n: Index, most: int, draw: np.random.Generator) -> Index:
    """Of groups of `n` (g,) rows: all, or as many of each, so that they are `most`; what cannot be shared goes to groups that are drawn."""
    if int(n.sum()) <= most:
        return n
    rising = np.sort(n)
    below = np.concatenate(([0], np.cumsum(rising)[:-1]))  # rows of the smaller groups
    level = (most - below) // np.arange(len(n), 0, -1)
    each = int(level[np.argmax(level < rising)])
    found: Index = np.minimum(n, each)
    larger = np.nonzero(n > each)[0]
    found[draw.permutation(larger)[: most - int(found.sum())]] += 1
    return found
