"""Elastic net."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.per_target import Sample
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class ElasticNet(SklearnAlgorithm):
    """A linear model that keeps few columns, and of correlated ones all: fingerprint columns
    overlap, so it is steadier on them than the lasso.

    `alpha` is scikit-learn's for a target divided by its standard deviation, so that it means the
    same in nM and in M. The default 1 would then keep no column; 0.02 keeps some hundred of the
    2,500 of `maplight`.
    """

    name = "elastic_net"
    aliases: ClassVar[tuple[str, ...]] = ("ElasticNet", "elasticnet")
    summary = "Linear regression with L1 and L2 penalties, on scaled features"
    reference = "Zou & Hastie 2005; sklearn.linear_model.ElasticNet"
    tasks = frozenset({"regression"})
    scaled = True

    class Params(PluginParams):
        #: strength of the penalty, in standard deviations of the target
        alpha: float = Field(default=0.02, gt=0, le=1e4)
        #: 1: L1 only (the lasso), towards 0: L2
        l1_ratio: float = Field(default=0.5, gt=0, le=1)
        max_iter: int = Field(default=2_000, ge=1, le=1_000_000)
        tol: float = Field(default=1e-4, gt=0, le=1)

    def estimator(self, task: str, context: FitContext) -> Any:
        del task, context
        from sklearn.linear_model import ElasticNet as SklearnElasticNet

        return SklearnElasticNet(**self.params.model_dump())

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        """Fitted to the target in standard deviations, told in its own unit."""
        scale = float(sample.y.std()) or 1.0
        estimator = super().fit_one(replace(sample, y=sample.y / scale), task, context)
        estimator.coef_ = estimator.coef_ * scale
        estimator.intercept_ = float(estimator.intercept_ * scale)
        return estimator

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "alpha": trial.suggest_float("alpha", 1e-3, 0.5, log=True),
            "l1_ratio": trial.suggest_float("l1_ratio", 0.05, 1.0),
        }
