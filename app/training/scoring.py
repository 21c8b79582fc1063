"""How good predictions of one fold are, target by target, beside the trivial baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.metrics.across_targets import over_folds, usable_scales
from app.metrics.base import Metric
from app.metrics.evaluate import baseline_predictions

#: metric: a number for each target, None where it is not defined
FoldScores = dict[str, list[float | None]]


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Metrics of a task on known labels."""

    task: LearningTask
    metrics: Sequence[Metric]

    def score(self, y: NDArray[np.float64], predictions: Predictions) -> FoldScores:
        """Labels y (rows, targets) with NaN for a missing label."""
        return {
            metric.name: [
                self._one(metric, number, y[:, number], predictions)
                for number in range(len(self.task.targets))
            ]
            for metric in self.metrics
        }

    def baseline(self, known: NDArray[np.float64], y: NDArray[np.float64]) -> FoldScores:
        """Of what knows only the mean, or the majority class, of the labels `known`."""
        values = np.full(y.shape, np.nan)
        probabilities = []
        for number in range(len(self.task.targets)):
            labels = known[np.isfinite(known[:, number]), number]
            classes = len(self.task.classes[number]) if self.task.is_classification else 0
            if not len(labels):
                probabilities.append(np.full((len(y), classes), np.nan))
                continue
            said, shares = baseline_predictions(self.task.type, labels, len(y), classes)
            values[:, number] = said
            probabilities.append(shares if shares is not None else np.empty((len(y), 0)))
        of_classes = probabilities if self.task.is_classification else None
        return self.score(y, Predictions(values=values, probabilities=of_classes))

    def _one(
        self, metric: Metric, number: int, y: NDArray[np.float64], predictions: Predictions
    ) -> float | None:
        known = np.isfinite(y) & np.isfinite(predictions.values[:, number])
        if not known.any():
            return None
        probabilities = predictions.probabilities
        value = metric.compute(
            y[known],
            predictions.values[known, number],
            None if probabilities is None else probabilities[number][known],
        )
        return float(value) if np.isfinite(value) else None


def mean_baseline(metric: str, baseline: Sequence[FoldScores]) -> NDArray[np.float64]:
    """(targets,): the trivial baseline's error, mean over the folds: what errors of several targets
    are divided by (app/metrics/across_targets.py).
    """
    return usable_scales(over_folds([np.array(scores[metric], float) for scores in baseline]))
