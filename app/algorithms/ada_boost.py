"""AdaBoost."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.fast_forms import FastForm
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.algorithms.tree_forms import AdaBoostForm

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class AdaBoost(SklearnAlgorithm):
    """Rows that were wrong count more in the next tree. Kept for comparison with older work; the
    gradient boosted trees are better.

    Trees are deeper than scikit-learn's and look at a third of the columns each split: a stump
    says little about thousands of fingerprint columns.
    """

    name = "ada_boost"
    aliases = ("AdaBoostClassifier", "AdaBoostRegressor", "decisiontree")
    summary = "Boosted trees by reweighting rows (scikit-learn)"
    reference = "Freund & Schapire 1997; Drucker 1997; sklearn.ensemble.AdaBoostRegressor"
    tasks = frozenset({"regression", "binary", "multiclass"})
    fast_rows = 8
    scaled = True

    class Params(WeightedClasses):
        n_estimators: int = Field(default=100, ge=1, le=5_000)
        learning_rate: float = Field(default=1.0, gt=0, le=10)
        #: of regression
        loss: Literal["linear", "square", "exponential"] = "linear"
        #: of each tree
        max_depth: int | None = Field(default=6, ge=1, le=100)
        max_features: Literal["sqrt", "log2"] | float | None = 0.3

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        growth = self.params.model_dump(include={"max_depth", "max_features"})
        values = self.params.model_dump(include={"n_estimators", "learning_rate"})
        values |= {"random_state": context.seed}
        if task == "regression":
            tree = DecisionTreeRegressor(**growth)
            return AdaBoostRegressor(tree, **values, loss=self.params.loss)
        return AdaBoostClassifier(DecisionTreeClassifier(**growth), **values)

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm:
        del classifies
        return AdaBoostForm(estimator)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 300, step=50),
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 2.0, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 12),
        }
