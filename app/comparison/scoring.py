"""One fit, and how good it is on the fold's test rows, target by target."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Algorithm, FitContext, LearningTask, Predictions
from app.comparison.fits import Rows
from app.metrics.base import Metric
from app.metrics.evaluate import baseline_predictions
from app.training.material import LabelledRows

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


def score_fit(
    material: LabelledRows, algorithm: Algorithm, scorer: Scorer, rows: Rows, context: FitContext
) -> FoldScores:
    """Fit on the training rows and score the test rows. Features that are learned are learned from
    the training rows alone, and from the labels of this fit: scrambled ones reach no encoding
    unscrambled. Raises InvalidInput when these rows cannot be learned.
    """
    known = _relabelled(material, rows)
    features = known.fit_features(rows.train)
    fitted: Any = algorithm.fit(
        known.labels.task,
        known.examples(features, rows.train),
        known.examples(features, rows.validation) if len(rows.validation) else None,
        context,
    )
    predictions = fitted.predict(known.matrix(features, rows.test))
    return scorer.score(material.labels.y[rows.test], predictions)


def _relabelled(material: LabelledRows, rows: Rows) -> LabelledRows:
    """With the labels that this fit is shown."""
    y = material.labels.y.copy()
    y[np.concatenate([rows.train, rows.validation])] = material.labels.y[rows.labels]
    return replace(material, labels=replace(material.labels, y=y))
