"""Boosted trees as plain arrays, and what they say of rows, without the library that grew them.

A tree's leaves are numbered from left to right, one bit each. A row that goes right at a node loses all leaves on the node's left; of those it has left
after all nodes, the lowest is where it ends (QuickScorer: Lucchese et al. 2015, doi:10.1145/2766462.2767733). So a tree is a few comparisons of whole
columns, ten times faster here than walking down with every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.hourly.panel import Floats

LEAVES = 16  # of a tree, at most: the bits of what a row has left
_ROWS = 8192  # at a time: what they need stays near the processor
_LOWEST = np.array([(bits & -bits).bit_length() - 1 if bits else 0 for bits in range(1 << LEAVES)], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedTrees:
    """Trees (t, nodes): a row goes right at a node where its `feature` > `threshold`, or where it is unknown and `unknown_right`, and loses the leaves `left`.

    `left` is 0 where a tree has no further node. `value` (t, LEAVES): what a leaf adds to the log odds; `base` is what they are before any tree.
    """

    feature: NDArray[np.int32]
    threshold: Floats
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
            found[some] = self._score(np.ascontiguousarray(own[:, some]), np.ascontiguousarray(shared[:, some]))
        return found

    def _score(self, own: Floats, shared: Floats) -> Floats:
        total = np.full(own.shape[1:], self.base)
        gone, here = np.empty(own.shape[1], dtype=np.uint16), np.empty(own.shape[1:], dtype=np.uint16)
        for tree in range(len(self.feature)):
            nodes = [node for node in range(self.left.shape[1]) if self.left[tree, node]]
            gone[:] = 0
            for node in nodes:
                if self.feature[tree, node] >= len(own):
                    gone |= self._right(shared[self.feature[tree, node] - len(own)], tree, node)
            here[:] = gone[:, None]
            for node in nodes:
                if self.feature[tree, node] < len(own):
                    here |= self._right(own[self.feature[tree, node]], tree, node)
            total += self.value[tree][_LOWEST[~here]]
        return total

    def _right(self, column: Floats, tree: int, node: int) -> NDArray[np.uint16]:
        """The leaves each row loses."""
        threshold = self.threshold[tree, node]
        right = ~(column <= threshold) if self.unknown_right[tree, node] else column > threshold
        found: NDArray[np.uint16] = right.view(np.uint8) * self.left[tree, node]
        return found


def trees_of(classifier: Any) -> BoostedTrees:
    """Of scikit-learn's HistGradientBoostingClassifier of two classes, grown on numbers alone with at most LEAVES leaves."""
    grown = [stage[0].nodes for stage in classifier._predictors]
    shape = (len(grown), LEAVES - 1)
    feature, threshold = np.zeros(shape, dtype=np.int32), np.zeros(shape)
    unknown_right, left = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.uint16)
    value = np.zeros((len(grown), LEAVES))
    for tree, nodes in enumerate(grown):
        inner, leaves = _in_order(nodes)
        value[tree, : len(leaves)] = nodes["value"][leaves]
        for place, (node, under) in enumerate(inner):
            feature[tree, place], threshold[tree, place] = nodes["feature_idx"][node], nodes["num_threshold"][node]
            unknown_right[tree, place], left[tree, place] = not nodes["missing_go_to_left"][node], under
    base = float(np.ravel(classifier._baseline_prediction)[0])
    return BoostedTrees(feature=feature, threshold=threshold, unknown_right=unknown_right, left=left, value=value, base=base)


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
