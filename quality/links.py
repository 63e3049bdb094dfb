"""Which series must be judged together, and which have a test that looks at more than the row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quality.rules import Rules


class Links:
    """Of a growing list of series: row i stands for `rules.keys[i]`.

    root (n,) int32: the same number for all series that are derived from one another, or held against one another; windowed (n,) bool: some test with
    context applies; judged_here (n,) bool: the row tests alone do not tell the flag.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.root = np.zeros(0, dtype=np.int32)
        self.windowed = np.zeros(0, dtype=np.bool_)
        self.judged_here = np.zeros(0, dtype=np.bool_)

    def grow(self) -> bool:
        """Take in series appended since the last call; True where there were any."""
        self._rules.grow()
        known, size = len(self.root), len(self._rules.keys)
        if known == size:
            return False
        self.root = np.append(self.root, np.arange(known, size, dtype=np.int32))
        self.windowed = np.append(self.windowed, self._rules.windowed[known:])
        linked = np.append(self.judged_here, np.zeros(size - known, dtype=np.bool_))
        for sources in (*self._rules.sources, *self._rules.related):
            # a series counts where all its sources are there: only then does it inherit from them, or is it held against them
            whole = (sources >= 0).all(axis=1) & ((np.arange(size) >= known) | (sources >= known).any(axis=1))
            for series in np.flatnonzero(whole).tolist():
                for source in sources[series].tolist():
                    self._join(series, source, linked)
        self.judged_here = linked | self.windowed
        return True

    def _join(self, one: int, other: int, linked: NDArray[np.bool_]) -> None:
        if not linked[one]:  # it stands alone
            self.root[one] = self.root[other]
        elif not linked[other]:
            self.root[other] = self.root[one]
        else:
            self.root[self.root == self.root[other]] = self.root[one]
        linked[[one, other]] = True
