"""Kernel ridge regression."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.per_target import Sample
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.errors import InvalidInput
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial

#: the kernel of all pairs of rows is solved at once: 2 GB and a minute
_MOST_ROWS = 15_000


@algorithms.register
class KernelRidge(SklearnAlgorithm):
    """Ridge regression on all pairs of rows. `gamma` null is 1 / columns. The target is centred,
    for scikit-learn's has no intercept: far from all training rows the answer is their mean.
    """

    name = "kernel_ridge"
    aliases = ("KernelRidge", "kernelridge")
    summary = "Ridge regression with a radial kernel, on scaled features"
    reference = "Murphy 2012, chapter 14.4.3; sklearn.kernel_ridge.KernelRidge"
    tasks = frozenset({"regression"})
    scaled = True
    compares_rows = True

    class Params(PluginParams):
        alpha: float = Field(default=0.1, gt=0, le=1e6)
        kernel: Literal["rbf", "laplacian", "linear", "poly"] = "rbf"
        gamma: float | None = Field(default=None, gt=0, le=1e6)
        degree: float = Field(default=3, ge=1, le=10)

    def estimator(self, task: str, context: FitContext) -> Any:
        del task, context
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
        from sklearn.preprocessing import StandardScaler

        return TransformedTargetRegressor(
            SklearnKernelRidge(**self.params.model_dump()),
            transformer=StandardScaler(with_std=False),
        )

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        if len(sample.y) > _MOST_ROWS:
            raise InvalidInput(
                f"{self.name} fits at most {_MOST_ROWS:,} rows at once, not {len(sample.y):,}",
                code="too_many_rows_to_fit",
                remedy="Use svm, lightgbm or consensus for as many.",
            )
        return super().fit_one(sample, task, context)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "alpha": trial.suggest_float("alpha", 1e-3, 10.0, log=True),
            "gamma": trial.suggest_float("gamma", 1e-6, 1e-1, log=True),
        }
