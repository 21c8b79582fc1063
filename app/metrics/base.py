"""The contract of a metric: measured and predicted in, one number out, better in one direction."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from app.core.plugin import Plugin
from app.core.registry import Registry

Values = NDArray[np.float64]


class Metric(Plugin):
    """One file each, named as in scikit-learn where it has the metric."""

    tasks: ClassVar[frozenset[Literal["regression", "binary", "multiclass"]]]
    direction: ClassVar[Literal["minimize", "maximize"]]
    #: whether the unit of the target is the unit of the metric
    has_unit: ClassVar[bool] = False

    @abstractmethod
    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        """One target, no missing values: y_true (n,), y_pred (n,) numbers or class indices,
        probabilities (n, n_classes) for classification. NaN where it is not defined (one class).
        """


metrics: Registry[type[Metric]] = Registry("app.metrics", kind="metric")
