"""All trees of an ensemble as flat arrays, walked together: one step of numpy for all of them.

Comparisons are those of scikit-learn (`x <= threshold` goes left, x float32, threshold float64), so
the leaves are exactly its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]
#: steps after which rows that have reached their leaf are taken out
_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Of m nodes; `left` below 0: a leaf."""

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[np.float64]
    #: where a missing value goes
    missing_left: NDArray[Any]

    @classmethod
    def of_sklearn(cls, tree: Any) -> Self:
        """From `sklearn.tree._tree.Tree`."""
        return cls(
            left=tree.children_left,
            right=tree.children_right,
            feature=tree.feature,
            threshold=tree.threshold,
            missing_left=tree.missing_go_to_left,
        )


class FlatTrees:
    """t trees of m nodes in all. A leaf leads to itself."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        sizes = [len(tree.left) for tree in trees]
        #: (t,)
        self.roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
        left, right = (
            np.concatenate(
                [
                    np.where(tree.left < 0, np.arange(size), getattr(tree, side)) + root
                    for tree, size, root in zip(trees, sizes, self.roots, strict=True)
                ]
            )
            for side in ("left", "right")
        )
        leaf = np.concatenate([tree.left < 0 for tree in trees])
        feature = np.concatenate([tree.feature for tree in trees])
        threshold = np.concatenate([tree.threshold for tree in trees])
        missing_left = np.concatenate([tree.missing_left for tree in trees])
        self._children = np.column_stack([left, right]).astype(np.int32).ravel()
        self._feature = np.where(leaf, 0, feature).astype(np.int32)
        self._threshold = np.where(leaf, np.inf, threshold)
        self._missing_right = (~missing_left.astype(bool)).astype(np.int32)

    def leaves(self, X: Matrix) -> NDArray[np.intp]:
        """(n, t) nodes that the rows of X (n, width) end in."""
        n, t = len(X), len(self.roots)
        values = np.ascontiguousarray(X).ravel()
        missing = X.dtype.kind == "f" and bool(np.isnan(values).any())
        ended = np.tile(self.roots, n)
        going, node = np.arange(n * t), ended
        row = np.repeat(np.arange(n) * X.shape[1], t)
        while len(going):
            before = node
            for _ in range(_STEPS):
                before, node = node, self._step(node, values, row, missing=missing)
            ended[going] = node
            moved = np.flatnonzero(before != node)
            going, node, row = going[moved], node[moved], row[moved]
        return ended.reshape(n, t)

    def _step(
        self, node: NDArray[np.intp], values: Matrix, row: NDArray[np.intp], *, missing: bool
    ) -> NDArray[np.intp]:
        """The children that rows which start at `row` in `values` go to."""
        x = values.take(row + self._feature.take(node))
        right: NDArray[Any] = x > self._threshold.take(node)
        if missing:
            right = np.where(np.isnan(x), self._missing_right.take(node), right)
        found: NDArray[np.intp] = self._children.take(2 * node + right).astype(np.intp)
        return found


def summed(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, ...) sums over the second axis of (n, t, ...), one after another as a loop over trees
    adds them: equal to the last bit.
    """
    return np.add.accumulate(parts, axis=1)[:, -1]
