"""Gradient boosting on exact splits."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.fast_forms import FastForm
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.per_target import Sample
from app.algorithms.sklearn_estimators import SklearnAlgorithm, labels, weighting
from app.algorithms.tree_forms import GradientBoostingForm

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class GradientBoosting(SklearnAlgorithm):
    """scikit-learn's classic trees, its defaults. They look at every value of every column, so on
    thousands of fingerprint columns hist_gradient_boosting and lightgbm are 10 to 100 times
    faster; on a small table the three are equals.

    Columns are scaled only because these trees take no missing values: the order of values, all
    that a tree sees, stays.
    """

    name = "gradient_boosting"
    aliases = ("GradientBoostingClassifier", "GradientBoostingRegressor", "gb")
    summary = "Boosted trees on exact splits, for small tables (scikit-learn)"
    reference = "Friedman 2001, Ann. Stat. 29, 1189; sklearn.ensemble.GradientBoostingRegressor"
    tasks = frozenset({"regression", "binary", "multiclass"})
    fast_rows = 8
    scaled = True

    class Params(WeightedClasses):
        n_estimators: int = Field(default=100, ge=1, le=5_000)
        learning_rate: float = Field(default=0.1, gt=0, le=1)
        max_depth: int | None = Field(default=3, ge=1, le=100)
        subsample: float = Field(default=1.0, gt=0, le=1)
        min_samples_split: int = Field(default=2, ge=2, le=1_000)
        min_samples_leaf: int = Field(default=1, ge=1, le=1_000)
        #: null: all columns
        max_features: Literal["sqrt", "log2"] | float | None = None

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

        values = self.params.model_dump(exclude={"class_weight"}) | {"random_state": context.seed}
        if task == "regression":
            return GradientBoostingRegressor(**values)
        return GradientBoostingClassifier(**values)

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        def stop_when_asked(*_: Any) -> bool:
            context.work.raise_if_cancelled()
            return False

        return self.estimator(task, context).fit(
            sample.X, labels(sample, task), **weighting(sample), monitor=stop_when_asked
        )

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm:
        del classifies
        return GradientBoostingForm(estimator)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        return cls.suggest_seed(trial, task) | {
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20),
            "max_features": trial.suggest_categorical("max_features", ["sqrt", 0.3, None]),
        }

    @classmethod
    def suggest_seed(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """The space of the ML worker (S4-10)."""
        del task
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 500),
            "learning_rate": trial.suggest_float("learning_rate", 0.001, 0.3, log=True),
            "max_depth": trial.suggest_int("max_depth", 3, 10),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        }
