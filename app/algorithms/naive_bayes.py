"""Naive Bayes."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.per_target import Sample
from app.algorithms.sklearn_estimators import SklearnAlgorithm

if TYPE_CHECKING:
    from optuna.trial import Trial

#: a column with more values than that is a measured quantity
_FEW = 20


@algorithms.register
class NaiveBayes(SklearnAlgorithm):
    """Columns as if they said independent things: fast, and a baseline for fingerprints. Its
    probabilities are far too sure of themselves.

    bernoulli: each column is above its mean or not, which for bits is the bit. gaussian: a normal
    distribution per class and column. auto: gaussian where most columns have more than 20
    different values among the training rows, else bernoulli.
    """

    name = "naive_bayes"
    aliases = ("BernoulliNB", "GaussianNB", "naivebayes")
    summary = "Independent columns by Bayes' rule; Bernoulli or Gaussian by the data"
    reference = "Zhang 2004; sklearn.naive_bayes.BernoulliNB, GaussianNB"
    tasks = frozenset({"binary", "multiclass"})
    scaled = True

    class Params(WeightedClasses):
        distribution: Literal["auto", "bernoulli", "gaussian"] = "auto"
        #: additive smoothing (bernoulli)
        alpha: float = Field(default=1.0, ge=0, le=1e6)
        #: share of the largest variance that is added to all (gaussian)
        var_smoothing: float = Field(default=1e-9, ge=0, le=1e3)

    def estimator(self, task: str, context: FitContext) -> Any:
        """Bernoulli, unless `fit_one` saw measured quantities."""
        del task, context
        from sklearn.naive_bayes import BernoulliNB, GaussianNB

        if self.params.distribution == "gaussian":
            return GaussianNB(var_smoothing=self.params.var_smoothing)
        # columns are centred
        return BernoulliNB(alpha=self.params.alpha, binarize=0.0)

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        if self.params.distribution != "auto":
            return super().fit_one(sample, task, context)
        word = "gaussian" if _measured(sample.X) else "bernoulli"
        params = self.params.model_copy(update={"distribution": word})
        return type(self)(params).fit_one(sample, task, context)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "distribution": trial.suggest_categorical("distribution", ["bernoulli", "gaussian"]),
            "alpha": trial.suggest_float("alpha", 1e-3, 10.0, log=True),
            "var_smoothing": trial.suggest_float("var_smoothing", 1e-9, 1.0, log=True),
        }


def _measured(X: Matrix) -> bool:
    """Whether most columns have many different values."""
    many = [len(np.unique(column)) > _FEW for column in np.asarray(X).T]
    return bool(np.mean(many) > 0.5) if many else False  # noqa: PLR2004 - most
