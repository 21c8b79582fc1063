"""The contract of a metric: measured and predicted in, one number out, better in one direction."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from app.core.plugin import Plugin
from app.core.registry import Registry

Values = NDArray[np.float64]
Rows = NDArray[np.int64]


class Metric(Plugin):
    """One file each, named as in scikit-learn where it has the metric."""

    tasks: ClassVar[frozenset[Literal["regression", "binary", "multiclass"]]]
    direction: ClassVar[Literal["minimize", "maximize"]]
    #: whether the unit of the target is the unit of the metric
    has_unit: ClassVar[bool] = False
    #: whether the square of that unit is
    has_squared_unit: ClassVar[bool] = False

    @classmethod
    def carries_unit(cls) -> bool:
        """Whether its values change with the unit of the target."""
        return cls.has_unit or cls.has_squared_unit

    @abstractmethod
    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        """One target, no missing values: y_true (n,), y_pred (n,) numbers or class indices,
        probabilities (n, n_classes) for classification. NaN where it is not defined (one class).
        """

    def resampled(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, draws: Rows
    ) -> Values:
        """(b,): `compute` on each line of `draws` (b, d), which holds row numbers; a number below 0
        stands for no row. NaN for a line without a row.
        """

        def one(line: Rows) -> float:
            rows = line[line >= 0]
            if not len(rows):
                return float("nan")
            p = None if probabilities is None else probabilities[rows]
            return self.compute(y_true[rows], y_pred[rows], p)

        return np.fromiter(map(one, draws), np.float64, count=len(draws))


class CountedMetric(Metric):
    """A metric that sorts, or bins: done once, and each resample is how often it holds a row."""

    @abstractmethod
    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        """(b,): for each line of counts (b, n) the metric of row i taken counts[., i] times. Lines
        need not hold equally many rows; NaN for a line without any.
        """

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        once = np.ones((1, len(y_true)))
        return float(self.counted(y_true, y_pred, probabilities, once)[0])

    def resampled(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, draws: Rows
    ) -> Values:
        b, n = len(draws), len(y_true)
        cells = (draws + np.arange(b)[:, np.newaxis] * n)[draws >= 0]
        counts = np.bincount(cells, minlength=b * n).reshape(b, n).astype(np.float64)
        return self.counted(y_true, y_pred, probabilities, counts)


def resampled_known(
    metric: Metric, y_true: Values, y_pred: Values, probabilities: Values | None, draws: Rows
) -> Values:
    """(b,): as `Metric.resampled` of a target with NaN in y_true (n,) where it has no label: of
    each line of `draws` (b, n) the rows that have one, however many these are.
    """
    known = np.isfinite(y_true)
    if known.all():
        return metric.resampled(y_true, y_pred, probabilities, draws)
    place = np.where(known, np.cumsum(known) - 1, -1)
    p = None if probabilities is None else probabilities[known]
    return metric.resampled(y_true[known], y_pred[known], p, place[draws])


def undefined(counts: Values) -> Values:
    """NaN for every resample."""
    return np.full(len(counts), np.nan)


metrics: Registry[type[Metric]] = Registry("app.metrics", kind="metric")
