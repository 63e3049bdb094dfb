"""A fitted forest of regression trees as plain arrays: small, without scikit-learn, and quick to ask.

A tree's nodes stand in the order of a walk that goes left first: the left branch is the next node. Rows are walked down many trees at once,
each path by itself, and a row's trees are summed in their order: its bits do not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats, Index

_PATHS = 16384  # walked at once: what a processor keeps near


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """All trees' nodes one after another (n,): `feature` asked for, −1 at a leaf; `number` it must not exceed to go left, or what the leaf says;
    `right` branch as steps from the node. `start` (trees,): where each tree begins.
    """

    feature: NDArray[np.int16]
    number: NDArray[np.float32]
    right: NDArray[np.int32]
    start: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raises ValueError where a walk would not end: it goes forward only, and the last node is a leaf. Forests are read from files."""
        n = len(self.feature)
        node = np.flatnonzero(self.feature >= 0)
        right = node + self.right[node]
        if not (n == len(self.number) == len(self.right) and (right > node).all() and (right < n).all() and (node + 1 < n).all()):
            raise ValueError("a forest whose branches do not lead on")
        if not (len(self.start) and (self.start >= 0).all() and (self.start < n).all()):
            raise ValueError("a forest whose trees begin nowhere")

    def __call__(self, x: Floats) -> Floats:
        """Mean (k,) of what the trees say of inputs (k, f), which they see in single precision."""
        if self.feature.max() >= x.shape[1]:
            raise ValueError(f"feature {self.feature.max()} is asked for, {x.shape[1]} are there")
        seen = np.ascontiguousarray(x, dtype=np.float32)
        rows = max(1, _PATHS // len(self.start))
        parts = [self._say(seen[first : first + rows]) for first in range(0, len(seen), rows)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _say(self, x: NDArray[np.float32]) -> Floats:
        k, f = x.shape
        flat, node = x.ravel(), np.repeat(self.start, k)
        row = np.tile(np.arange(k) * f, len(self.start))
        path: Index = np.arange(len(node))  # those not yet at a leaf
        here = node
        while len(path):
            feature = self.feature[here]
            inner = feature >= 0
            if not inner.all():
                path, row, here, feature = path[inner], row[inner], here[inner], feature[inner]
            here = here + np.where(flat[row + feature] <= self.number[here], 1, self.right[here])
            node[path] = here
        total = np.zeros(k)
        for tree in self.number[node].reshape(len(self.start), k):
            total += tree
        return total / len(self.start)


def packed_forest(forest: Any) -> Forest:
    """Of a fitted forest of scikit-learn. Bounds are rounded down to single precision: inputs are in it, so every path is the same."""
    trees = [one.tree_ for one in forest.estimators_]
    feature, number, right = [], [], []
    for tree in trees:
        leaf = tree.children_left < 0
        bound = tree.threshold.astype(np.float32)
        bound = np.where(bound > tree.threshold, np.nextafter(bound, np.float32(-np.inf)), bound)
        feature.append(np.where(leaf, -1, tree.feature).astype(np.int16))
        number.append(np.where(leaf, tree.value[:, 0, 0].astype(np.float32), bound))
        right.append(np.where(leaf, 0, tree.children_right - np.arange(len(leaf))).astype(np.int32))
    start = np.cumsum([0, *(len(one) for one in feature[:-1])], dtype=np.int64)
    return Forest(feature=np.concatenate(feature), number=np.concatenate(number), right=np.concatenate(right), start=start)
