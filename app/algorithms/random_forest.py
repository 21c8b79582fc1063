"""Random forest."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.fast_forms import FastForm, Numbers
from app.algorithms.imbalance import ClassWeight, WeightedClasses
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.algorithms.tree_forms import ForestForm

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class RandomForest(SklearnAlgorithm):
    """Robust without tuning; its trees' spread is the prediction's std.

    Defaults differ from scikit-learn's for regression: a third of the columns per split
    (Breiman's advice), since thousands of correlated fingerprint columns are the rule here.
    """

    name = "random_forest"
    aliases: ClassVar[tuple[str, ...]] = (
        "RandomForestClassifier",
        "RandomForestRegressor",
        "rf",
        "randomforest",
    )
    summary = "Average of many trees on bootstrap samples"
    reference = "Breiman 2001, Mach. Learn. 45, 5; sklearn.ensemble.RandomForestRegressor"
    tasks = frozenset({"regression", "binary", "multiclass"})
    fast_rows = 64

    class Params(WeightedClasses):
        n_estimators: int = Field(default=200, ge=1, le=5_000)
        max_depth: int | None = Field(default=None, ge=1, le=200)
        min_samples_split: int = Field(default=2, ge=2, le=1_000)
        min_samples_leaf: int = Field(default=1, ge=1, le=1_000)
        #: a word or a share of the columns; "auto": a third (regression), "sqrt" (classes)
        max_features: Literal["auto", "sqrt", "log2"] | float | None = "auto"
        #: balanced_subsample: balanced anew in each tree's bootstrap sample
        class_weight: ClassWeight | Literal["balanced_subsample"] | None = None  # type: ignore[assignment] # a word more

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        cls = RandomForestRegressor if task == "regression" else RandomForestClassifier
        return cls(**self.settings(task, context))

    def settings(self, task: str, context: FitContext) -> dict[str, Any]:
        """What scikit-learn's forests take; classes' weights are the rows' but for the word that
        only they know.
        """
        values: dict[str, Any] = self.params.model_dump()
        class_weight = values.pop("class_weight")
        regression = task == "regression"
        if values["max_features"] == "auto":
            values["max_features"] = 1 / 3 if regression else "sqrt"
        if class_weight == "balanced_subsample" and not regression:
            values["class_weight"] = class_weight
        return values | {"random_state": context.seed, "n_jobs": context.threads}

    @classmethod
    def regress_one(cls, estimator: Any, X: Matrix) -> Numbers:
        """Each tree is asked once, for the mean and for the spread."""
        inputs = np.asarray(X, dtype=np.float32)
        total, squares = np.zeros(len(X)), np.zeros(len(X))
        for tree in estimator.estimators_:
            values = tree.predict(inputs, check_input=False)
            total += values
            squares += values**2
        n = len(estimator.estimators_)
        std = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
        return Numbers(values=(total / n)[:, None], std=std)

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm:
        del classifies
        return ForestForm(estimator)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """The space of the ML worker (S4-09), shares of columns added."""
        del task
        shares = ["sqrt", "log2", 0.1, 0.33]
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 500, step=50),
            "max_features": trial.suggest_categorical("max_features", shares),
            **_growth(trial),
        }

    @classmethod
    def suggest_seed(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """Exactly the space of the ML worker (S4-09); None is all columns."""
        del task
        words = ["sqrt", "log2", None]
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 500),
            "max_features": trial.suggest_categorical("max_features", words),
            **_growth(trial),
        }


def _growth(trial: "Trial") -> dict[str, Any]:
    return {
        "max_depth": trial.suggest_int("max_depth", 3, 20),
        "min_samples_split": trial.suggest_int("min_samples_split", 2, 20),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 10),
    }
