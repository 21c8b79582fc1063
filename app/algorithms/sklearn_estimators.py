"""scikit-learn estimators as algorithms: built by the plug-in, stored by skops, never pickled."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import FitContext, Matrix
from app.algorithms.per_target import PerTargetAlgorithm
from app.core.errors import InvalidInput

#: what skops may build beside plain numpy and scikit-learn's own public classes: skops flags these
#: since they are compiled; they hold numbers only
_TRUSTED = frozenset(
    {
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.common.MonotonicConstraint",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


class SklearnAlgorithm(PerTargetAlgorithm):
    """Subclasses give the unfitted estimator."""

    @abstractmethod
    def estimator(self, task: str, context: FitContext) -> Any:
        """An unfitted scikit-learn estimator for `task`."""

    def fit_one(self, X: Matrix, y: NDArray[np.float64], task: str, context: FitContext) -> Any:
        from threadpoolctl import threadpool_limits

        labels = y if task == "regression" else y.astype(np.int64)
        # OpenMP pools of several processes on the same cores wait for each other
        with threadpool_limits(context.threads):
            return self.estimator(task, context).fit(X, labels)

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        import skops.io

        skops.io.dump(estimator, path)

    @staticmethod
    def load_one(path: Path) -> Any:
        import skops.io

        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - _TRUSTED)
        if foreign:
            raise InvalidInput(
                f"the model file {path.name} holds types that are not allowed: {foreign[0]}",
                remedy="Load only models that this product trained; do not edit their files.",
            )
        return skops.io.load(path, trusted=sorted(_TRUSTED))

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64] | None:
        found = getattr(estimator, "feature_importances_", None)
        if found is None and hasattr(estimator, "coef_"):
            found = np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)
        return None if found is None else np.asarray(found, dtype=np.float64)
