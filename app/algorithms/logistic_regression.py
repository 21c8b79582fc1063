"""Logistic regression."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class LogisticRegression(SklearnAlgorithm):
    """The penalty is C with l1_ratio (scikit-learn >= 1.8): 0 is L2 by lbfgs, above by saga.
    C defaults to 0.01, not 1, for the same reason as ridge's alpha.
    """

    name = "logistic_regression"
    aliases = ("LogisticRegression",)
    summary = "Linear classifier with probabilities, on scaled features"
    reference = "sklearn.linear_model.LogisticRegression"
    tasks = frozenset({"binary", "multiclass"})
    scaled = True

    class Params(PluginParams):
        #: inverse strength of the penalty
        C: float = Field(default=0.01, gt=0, le=1e6)
        l1_ratio: float = Field(default=0.0, ge=0, le=1)
        max_iter: int = Field(default=500, ge=1, le=100_000)
        class_weight: Literal["balanced"] | None = None

    def estimator(self, task: str, context: FitContext) -> Any:
        del task
        from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

        return SklearnLogisticRegression(
            **self.params.model_dump(),
            solver="saga" if self.params.l1_ratio > 0 else "lbfgs",
            random_state=context.seed,
        )

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """S4-11 without its invalid pairs (F-15): C and l1_ratio say it all."""
        del task
        return {
            "C": trial.suggest_float("C", 1e-4, 100.0, log=True),
            "class_weight": trial.suggest_categorical("class_weight", [None, "balanced"]),
        }
