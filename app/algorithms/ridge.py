"""Ridge regression."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class Ridge(SklearnAlgorithm):
    """The linear baseline. alpha defaults to 100, not 1: thousands of standardized fingerprint
    columns on a thousand rows want that much.
    """

    name = "ridge"
    aliases = ("Ridge",)
    summary = "Linear regression with an L2 penalty, on scaled features"
    reference = "Hoerl & Kennard 1970; sklearn.linear_model.Ridge"
    tasks = frozenset({"regression"})
    scaled = True

    class Params(PluginParams):
        alpha: float = Field(default=100.0, gt=0, le=1e8)

    def estimator(self, task: str, context: FitContext) -> Any:
        del task, context
        from sklearn.linear_model import Ridge as SklearnRidge

        return SklearnRidge(alpha=self.params.alpha)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {"alpha": trial.suggest_float("alpha", 1e-1, 1e5, log=True)}
