"""Matthews' correlation coefficient."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class MatthewsCorrcoef(Metric):
    """Gorodkin's generalization for several classes; 0 when one side is constant."""

    name = "matthews_corrcoef"
    aliases = ("mcc",)
    summary = "Correlation of true and predicted classes"
    reference = "sklearn.metrics.matthews_corrcoef; Gorodkin 2004"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        classes = np.union1d(y_true, y_pred)
        true = np.array([(y_true == c).sum() for c in classes], dtype=float)
        predicted = np.array([(y_pred == c).sum() for c in classes], dtype=float)
        right, n = float((y_true == y_pred).sum()), float(len(y_true))
        covariance = right * n - float(true @ predicted)
        spread = (n * n - float(predicted @ predicted)) * (n * n - float(true @ true))
        return covariance / float(np.sqrt(spread)) if spread > 0 else 0.0
