"""Histogram gradient boosting."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.fast_forms import FastForm
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.per_target import Sample
from app.algorithms.sklearn_estimators import SklearnAlgorithm, labels, weighting
from app.algorithms.tree_forms import HistGradientBoostingForm

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class HistGradientBoosting(SklearnAlgorithm):
    """scikit-learn's own boosted trees on binned columns; missing values go where they help.

    A tenth of the columns per split instead of all: fingerprints are thousands of weak columns.
    """

    name = "hist_gradient_boosting"
    aliases = (
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
    )
    summary = "Boosted trees on histograms (scikit-learn)"
    reference = "sklearn.ensemble.HistGradientBoostingRegressor; Ke et al. 2017"
    tasks = frozenset({"regression", "binary", "multiclass"})
    fast_rows = 8

    class Params(WeightedClasses):
        also_called: ClassVar[Mapping[str, str]] = {"n_iter_no_change": "early_stopping_rounds"}

        max_iter: int = Field(default=200, ge=1, le=10_000)
        learning_rate: float = Field(default=0.06, gt=0, le=1)
        max_leaf_nodes: int | None = Field(default=31, ge=2, le=1_024)
        max_depth: int | None = Field(default=None, ge=1, le=100)
        min_samples_leaf: int = Field(default=10, ge=1, le=10_000)
        l2_regularization: float = Field(default=0.0, ge=0)
        max_features: float = Field(default=0.1, gt=0, le=1)
        #: trees without a better validation loss before it stops; null: all of them
        early_stopping_rounds: int | None = Field(default=None, ge=1, le=10_000)

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.ensemble import (
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )

        values = self.params.model_dump(exclude={"class_weight", "early_stopping_rounds"})
        values |= {"random_state": context.seed, "early_stopping": False}
        if task == "regression":
            return HistGradientBoostingRegressor(**values)
        return HistGradientBoostingClassifier(**values)

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        if sample.validation is None:
            return super().fit_one(sample, task, context)
        estimator = self.estimator(task, context)
        estimator.set_params(
            early_stopping=True, n_iter_no_change=self.params.early_stopping_rounds
        )
        return estimator.fit(
            sample.X,
            labels(sample, task),
            **weighting(sample),
            X_val=sample.validation.X,
            y_val=labels(sample.validation, task),
        )

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm:
        del classifies
        return HistGradientBoostingForm(estimator)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "max_iter": trial.suggest_int("max_iter", 50, 500, step=50),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 7, 63),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 40),
            "max_features": trial.suggest_float("max_features", 0.03, 0.5, log=True),
        }
