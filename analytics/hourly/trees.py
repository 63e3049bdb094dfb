"""Boosted trees as plain arrays, and what they say of rows, without the library that grew them.

A tree's leaves are numbered from left to right, one bit each. A row that goes right at a node loses all leaves on the node's left; of those it has left
after all nodes, the lowest is where it ends (QuickScorer: Lucchese et al. 2015, doi:10.1145/2766462.2767733). Values are replaced by how many of the
cuts of their column lie below them, so that a node is four sums of whole columns of short numbers: ten times faster here than walking down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.hourly.panel import Floats

LEAVES = 16  # of a tree, at most: the bits of what a row has left
Short = NDArray[np.int16]
_ROWS = 32_768  # at a time: what they need stays near the processor
_HIGHEST = 32_767  # stands for an unknown value where it goes right, −1 where it goes left
_TURN = 0x09AF  # times a power of two, its upper four bits differ for each of the sixteen (de Bruijn)
_LEAF = np.argsort([(_TURN << bit & 0xFFFF) >> 12 for bit in range(LEAVES)])  # the bit of each such four


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedTrees:
    """Trees (t, nodes): at a node a row goes right where its `feature` > `cuts`[feature, cut], or where it is unknown and `unknown_right`, and loses `left`.

    `cuts` (features, most) rise, +∞ behind the last. `left` is 0 where a tree has no further node. `value` (t, LEAVES): what a leaf adds to the log
    odds; `base` is what they are before any tree.
    """

    feature: NDArray[np.int32]
    cut: Short
    cuts: Floats
    unknown_right: NDArray[np.bool_]
    left: NDArray[np.uint16]
    value: Floats
    base: float

    def score(self, own: Floats, shared: Floats) -> Floats:
        """Log odds (k, m) of k rows with m variants each: `own` (features, k, m) come first, then `shared` (features, k), equal in all variants."""
        found = np.empty(own.shape[1:])
        step = max(_ROWS // max(own.shape[2], 1), 1)
        for first in range(0, own.shape[1], step):
            some = slice(first, first + step)
            found[some] = self._score([*own[:, some], *shared[:, some]], len(own), found[some].shape)
        return found

    def _score(self, columns: list[Floats], own: int, shape: tuple[int, ...]) -> Floats:
        total = np.full(shape, self.base)
        codes = [self._codes(column, feature) for feature, column in enumerate(columns)]
        values = self.value[:, _LEAF]
        gone, here = np.empty(shape[0], dtype=np.int16), np.empty(shape, dtype=np.int16)
        once, often = np.empty_like(gone), np.empty_like(here)
        for tree, nodes in enumerate(self._nodes()):
            gone[:] = 0
            for feature, right, cut, left in nodes:
                if feature >= own:
                    _lose(gone, codes[feature][right], cut, left, once)
            here[:] = gone[:, None]
            for feature, right, cut, left in nodes:
                if feature < own:
                    _lose(here, codes[feature][right], cut, left, often)
            np.invert(here, out=here)
            np.negative(here, out=often)
            here &= often  # the lowest bit
            four = (here.view(np.uint16) * np.uint16(_TURN)) >> np.uint16(12)
            total += values[tree].take(four)
        return total

    def _codes(self, column: Floats, feature: int) -> tuple[Short, Short]:
        """How many cuts lie below each value; unknown ones as they go left, and as they go right."""
        high = np.searchsorted(self.cuts[feature], column).astype(np.int16)
        unknown = np.isnan(column)
        if not unknown.any():
            return high, high
        return np.where(unknown, np.int16(-1), high), np.where(unknown, np.int16(_HIGHEST), high)

    def _nodes(self) -> list[list[tuple[int, bool, np.int16, np.int16]]]:
        parts = (self.feature, self.unknown_right, self.cut, self.left.view(np.int16))
        return [[(int(f), bool(r), c, b) for f, r, c, b in zip(*rows, strict=True) if b] for rows in zip(*parts, strict=True)]


def _lose(gone: Short, codes: Short, cut: np.int16, left: np.int16, buffer: Short) -> None:
    """Where more cuts than `cut` lie below, `left` is lost too."""
    np.subtract(cut, codes, out=buffer)
    np.right_shift(buffer, np.int16(15), out=buffer)  # all bits where it is below 0
    np.bitwise_and(buffer, left, out=buffer)
    np.bitwise_or(gone, buffer, out=gone)


def trees_of(classifier: Any) -> BoostedTrees:
    """Of scikit-learn's HistGradientBoostingClassifier of two classes, grown on numbers alone with at most LEAVES leaves."""
    grown = [stage[0].nodes for stage in classifier._predictors]
    every = np.concatenate([nodes[nodes["is_leaf"] == 0] for nodes in grown])
    each = [np.unique(every["num_threshold"][every["feature_idx"] == feature]) for feature in range(classifier.n_features_in_)]
    cuts = np.full((len(each), max(len(one) for one in each)), np.inf)
    for row, one in zip(cuts, each, strict=True):
        row[: len(one)] = one
    shape = (len(grown), LEAVES - 1)
    feature, cut = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int16)
    unknown_right, left = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.uint16)
    value = np.zeros((len(grown), LEAVES))
    for tree, nodes in enumerate(grown):
        inner, leaves = _in_order(nodes)
        value[tree, : len(leaves)] = nodes["value"][leaves]
        for place, (node, under) in enumerate(inner):
            at = int(nodes["feature_idx"][node])
            feature[tree, place], cut[tree, place] = at, np.searchsorted(each[at], nodes["num_threshold"][node])
            unknown_right[tree, place], left[tree, place] = not nodes["missing_go_to_left"][node], under
    base = float(np.ravel(classifier._baseline_prediction)[0])
    return BoostedTrees(feature=feature, cut=cut, cuts=cuts, unknown_right=unknown_right, left=left, value=value, base=base)


def _in_order(nodes: Any) -> tuple[list[tuple[int, int]], list[int]]:
    """(node, bits of the leaves on its left) of each node, and the leaves from left to right."""
    inner: list[tuple[int, int]] = []
    leaves: list[int] = []

    def walk(node: int) -> int:
        """The bits of the leaves under it."""
        if nodes["is_leaf"][node]:
            leaves.append(node)
            return 1 << (len(leaves) - 1)
        left = walk(int(nodes["left"][node]))
        inner.append((node, left))
        return left | walk(int(nodes["right"][node]))

    walk(0)
    return inner, leaves
