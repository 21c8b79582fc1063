"""Cross-entropy."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class LogLoss(Metric):
    """Mean of -log p(true class); probabilities are clipped at the float64 epsilon."""

    name = "log_loss"
    summary = "Cross-entropy of the predicted probabilities, in nats"
    reference = "sklearn.metrics.log_loss"
    tasks = frozenset({"binary", "multiclass"})
    direction = "minimize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del y_pred
        if probabilities is None:
            return float("nan")
        chosen = probabilities[np.arange(len(y_true)), y_true.astype(int)]
        return float(-np.mean(np.log(np.clip(chosen, np.finfo(float).eps, 1.0))))
