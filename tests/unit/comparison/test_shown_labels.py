"""A fit on permuted labels sees no other, not in an encoding of columns either."""

import numpy as np

from app.algorithms.base import FitContext, LearningTask, Predictions
from app.comparison.fits import Rows
from app.comparison.scoring import score_fit
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.metrics.base import metrics
from app.training.examples import Labels
from app.training.material import LabelledRows
from app.training.scoring import Scorer

N = 60
WORDS = np.array(["a", "b"] * (N // 2), dtype=object)
Y = np.where(WORDS == "a", 10.0, -10.0)[:, None]
TASK = LearningTask(type="regression", targets=("y",))


class Recorder:
    """Keeps what it is shown, and says the first feature."""

    def fit(self, task, train, validation, context):
        self.train = train
        return self

    def predict(self, X):
        self.asked = X
        return Predictions(values=X[:, :1].astype(np.float64))


def shown(labels, weights=None):
    specs = (PluginSpec(name="columns", params={"words": "target"}),)
    material = LabelledRows(
        dataset=None,
        labels=Labels(task=TASK, y=Y),
        features=specs,
        feature_set=FeatureSet(specs),
        molecular=np.empty((N, 0), dtype=np.float32),
        columns=({"name": "word", "type": "class"},),
        cells={"word": WORDS},
        featureless=frozenset(),
        weights=weights,
    )
    train, test = np.arange(40), np.arange(40, N)
    rows = Rows(train=train, validation=np.empty(0, dtype=np.int64), test=test, labels=labels)
    recorder = Recorder()
    scorer = Scorer(task=TASK, metrics=[metrics.get("rmse")()])
    score_fit(material, recorder, scorer, rows, FitContext())
    return recorder


def test_what_a_word_means_follows_the_labels_that_are_shown():
    real = shown(np.arange(40))
    assert real.asked[0, 0] > 5, "row 40 is an a, and a means 10"
    swapped = shown(np.arange(40) ^ 1)
    assert swapped.asked[0, 0] < -5, "every a was shown the label of a b"
    assert swapped.train.y[0, 0] == -10


def test_weights_of_rows_reach_a_compared_fit():
    weights = np.arange(1.0, N + 1)
    assert shown(np.arange(40), weights).train.weights.tolist() == weights[:40].tolist()
