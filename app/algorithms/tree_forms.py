"""Fast forms of scikit-learn's tree ensembles: what each makes of the leaves of its trees."""

from itertools import chain
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from app.algorithms.fast_forms import Numbers
from app.algorithms.flat_trees import FlatTrees, Tree, summed

Matrix = NDArray[Any]
_ENGINE = "all trees as flat arrays (numpy)"


class ForestForm:
    """Average of the trees, and their spread; `spread` as RandomForest tells it, of numbers."""

    engine: ClassVar[str] = _ENGINE

    def __init__(self, estimator: Any) -> None:
        trees = [member.tree_ for member in estimator.estimators_]
        self.width: int = estimator.n_features_in_
        self._trees = FlatTrees([Tree.of_sklearn(tree) for tree in trees])
        self._regression = not hasattr(estimator, "classes_")
        #: (nodes, 1 or classes)
        self._values = np.concatenate([tree.value[:, 0, :] for tree in trees])

    def numbers(self, X: Matrix) -> Numbers:
        found = self._values[self._trees.leaves(_float32(X))]
        n = found.shape[1]
        mean = summed(found) / n
        if not self._regression:
            return Numbers(values=mean)
        spread = np.sqrt(np.maximum(summed(found**2) / n - mean**2, 0.0))
        return Numbers(values=mean, std=spread[:, 0])


class GradientBoostingForm:
    """A first guess and steps of the learning rate from it, of scikit-learn's exact splits."""

    engine: ClassVar[str] = _ENGINE

    def __init__(self, estimator: Any) -> None:
        trees = [member.tree_ for member in chain.from_iterable(estimator.estimators_)]
        self.width: int = estimator.n_features_in_
        self._trees = FlatTrees([Tree.of_sklearn(tree) for tree in trees])
        self._values = np.concatenate([tree.value[:, 0, 0] for tree in trees])
        self._values *= estimator.learning_rate
        nothing = np.zeros((1, self.width), dtype=np.float32)
        #: (1, 1, k)
        self._start = np.asarray(estimator._raw_predict_init(nothing), dtype=np.float64)[None]  # noqa: SLF001 - proved equal
        self._probabilities = _probabilities_of(estimator)

    def numbers(self, X: Matrix) -> Numbers:
        raw = _raw(self._trees, self._values, self._start, _float32(X))
        return Numbers(values=self._probabilities(raw))


class HistGradientBoostingForm:
    """As above, of scikit-learn's binned columns; thresholds are those of the columns' values."""

    engine: ClassVar[str] = _ENGINE

    def __init__(self, estimator: Any) -> None:
        nodes = [tree.nodes for tree in chain.from_iterable(estimator._predictors)]  # noqa: SLF001 - proved equal
        self.width: int = estimator.n_features_in_
        self._trees = FlatTrees([_of_nodes(each) for each in nodes])
        self._values = np.concatenate([each["value"] for each in nodes])
        self._start = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(1, 1, -1)  # noqa: SLF001 - proved equal
        self._probabilities = _probabilities_of(estimator)

    def numbers(self, X: Matrix) -> Numbers:
        raw = _raw(self._trees, self._values, self._start, np.asarray(X, dtype=np.float64))
        return Numbers(values=self._probabilities(raw))


class AdaBoostForm:
    """The weighted median of the trees (Drucker 1997), or their weighted votes (SAMME)."""

    engine: ClassVar[str] = _ENGINE

    def __init__(self, estimator: Any) -> None:
        trees = [member.tree_ for member in estimator.estimators_]
        self.width: int = estimator.n_features_in_
        self._trees = FlatTrees([Tree.of_sklearn(tree) for tree in trees])
        self._weights = estimator.estimator_weights_[: len(trees)]
        self._total = estimator.estimator_weights_.sum()
        self._estimator = estimator
        self._regression = not hasattr(estimator, "classes_")
        whole = np.concatenate([tree.value[:, 0, :] for tree in trees])
        #: (nodes,) the number, or the place among the classes
        self._values = whole[:, 0] if self._regression else whole.argmax(axis=1)

    def numbers(self, X: Matrix) -> Numbers:
        said = self._values[self._trees.leaves(_float32(X))]
        return Numbers(values=self._median(said) if self._regression else self._votes(said))

    def _median(self, said: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(said, axis=1)
        passed = np.cumsum(self._weights[order], axis=1)
        middle = (passed >= 0.5 * passed[:, -1:]).argmax(axis=1)
        rows = np.arange(len(said))
        found: NDArray[np.float64] = said[rows, order[rows, middle]][:, None]
        return found

    def _votes(self, said: NDArray[np.int64]) -> NDArray[np.float64]:
        k = self._estimator.n_classes_
        votes = np.where(
            said[:, :, None] == np.arange(k),
            self._weights[:, None],
            -1 / (k - 1) * self._weights[:, None],
        )
        decision = summed(votes) / self._total
        if k == 2:  # noqa: PLR2004 - two classes have one decision
            decision[:, 0] *= -1
            decision = decision.sum(axis=1)
        found = self._estimator._compute_proba_from_decision(decision, k)  # noqa: SLF001 - proved equal
        return np.asarray(found, dtype=np.float64)


def _raw(
    trees: FlatTrees, values: NDArray[np.float64], start: NDArray[np.float64], X: Matrix
) -> NDArray[np.float64]:
    """(n, k) of trees that come k for each round; `start` (1, 1, k)."""
    k = start.shape[2]
    steps = values[trees.leaves(X)].reshape(len(X), -1, k)
    begun = np.broadcast_to(start, (len(X), 1, k))
    return summed(np.concatenate([begun, steps], axis=1))


def _probabilities_of(estimator: Any) -> Any:
    """(n, k) raw sums to what is predicted."""
    if not hasattr(estimator, "classes_"):
        return lambda raw: raw
    loss = estimator._loss  # noqa: SLF001 - proved equal

    def probabilities(raw: NDArray[np.float64]) -> NDArray[np.float64]:
        given = raw[:, 0] if raw.shape[1] == 1 else raw
        return np.asarray(loss.predict_proba(np.ascontiguousarray(given)), dtype=np.float64)

    return probabilities


def _of_nodes(nodes: Any) -> Tree:
    """From the nodes of a histogram tree."""
    leaf = nodes["is_leaf"].astype(bool)
    if nodes["is_categorical"].any():
        raise ValueError("splits on categories have no flat form")
    return Tree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"],
    )


def _float32(X: Matrix) -> NDArray[np.float32]:
    return np.asarray(X, dtype=np.float32)
