"""Linear regression."""

from typing import Any

from app.algorithms.base import FitContext, algorithms
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.plugin import PluginParams


@algorithms.register
class LinearRegression(SklearnAlgorithm):
    """Ordinary least squares, for tables with many more rows than columns. With thousands of
    fingerprint columns it fits the noise: ridge is the linear model for molecules.
    """

    name = "linear_regression"
    aliases = ("LinearRegression", "ols")
    summary = "Ordinary least squares, for tables of few columns"
    reference = "sklearn.linear_model.LinearRegression"
    tasks = frozenset({"regression"})
    scaled = True

    class Params(PluginParams):
        fit_intercept: bool = True
        #: coefficients (of the scaled columns) may not be negative
        positive: bool = False

    def estimator(self, task: str, context: FitContext) -> Any:
        del task, context
        from sklearn.linear_model import LinearRegression as SklearnLinearRegression

        return SklearnLinearRegression(**self.params.model_dump())
