"""One fit, and how good it is on the fold's test rows, target by target."""

from dataclasses import replace
from typing import Any

import numpy as np

from app.algorithms.base import Algorithm, FitContext
from app.comparison.fits import Rows
from app.training.material import LabelledRows
from app.training.scoring import FoldScores, Scorer


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
