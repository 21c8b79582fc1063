"""Lasso."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.elastic_net import ElasticNet
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class Lasso(ElasticNet):
    """A linear model that keeps few columns, and of correlated ones one. `alpha` is for a
    target divided by its standard deviation, as in elastic_net.
    """

    name = "lasso"
    aliases = ("Lasso",)
    summary = "Linear regression with an L1 penalty, on scaled features"
    reference = "Tibshirani 1996; sklearn.linear_model.Lasso"

    class Params(PluginParams):
        #: strength of the penalty, in standard deviations of the target
        alpha: float = Field(default=0.01, gt=0, le=1e4)
        max_iter: int = Field(default=2_000, ge=1, le=1_000_000)
        tol: float = Field(default=1e-4, gt=0, le=1)

    def estimator(self, task: str, context: FitContext) -> Any:
        del task, context
        from sklearn.linear_model import Lasso as SklearnLasso

        return SklearnLasso(**self.params.model_dump())

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {"alpha": trial.suggest_float("alpha", 1e-3, 0.5, log=True)}
