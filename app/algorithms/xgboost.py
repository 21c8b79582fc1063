"""XGBoost."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.per_target import PerTargetAlgorithm, Sample
from app.core.errors import InvalidInput
from app.core.packages import find_spec

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class XGBoost(PerTargetAlgorithm):
    """XGBoost's own names. The package `xgboost-cpu` is for Linux only. Stored in its native binary
    JSON, never pickled.

    Defaults differ from XGBoost's (100 steps of 0.3 over all columns and rows): with thousands of
    weak columns, many smaller steps with shallower trees, each over a fifth of the columns and
    three fifths of the rows, have the lower error, and 64 bins are as good as 256. Chosen among
    seven settings by folds of rows outside the test part, on ESOL and Lipophilicity.
    """

    name = "xgboost"
    version = 2
    aliases = ("XGBClassifier", "XGBRegressor", "XGBoost", "xgb", "extremegradientboosting")
    summary = "Gradient boosted trees with a second-order gain"
    reference = "Chen & Guestrin 2016, KDD; xgboost.train"
    tasks = frozenset({"regression", "binary", "multiclass"})
    suffix = ".ubj"

    class Params(WeightedClasses):
        n_estimators: int = Field(default=600, ge=1, le=20_000)
        learning_rate: float = Field(default=0.08, gt=0, le=1)
        max_depth: int = Field(default=5, ge=1, le=100)
        min_child_weight: float = Field(default=1.0, ge=0)
        gamma: float = Field(default=0.0, ge=0)
        subsample: float = Field(default=0.6, gt=0, le=1)
        colsample_bytree: float = Field(default=0.2, gt=0, le=1)
        max_bin: int = Field(default=64, ge=2, le=65_535)
        reg_alpha: float = Field(default=0.0, ge=0)
        reg_lambda: float = Field(default=1.0, ge=0)
        #: trees without a better validation loss before it stops; null: all of them
        early_stopping_rounds: int | None = Field(default=None, ge=1, le=10_000)

    @classmethod
    def unavailable(cls) -> str | None:
        return None if find_spec("xgboost") else "the package xgboost-cpu is not installed"

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        import xgboost

        classes = np.unique(sample.y)
        data = _matrix(sample, classes, task, context)
        settings = self._settings(task, len(classes), context)
        if sample.validation is None:
            booster = xgboost.Booster(settings, [data])
            for number in range(self.params.n_estimators):
                context.work.raise_if_cancelled()
                booster.update(data, number)
            return booster
        booster = xgboost.train(
            settings,
            data,
            num_boost_round=self.params.n_estimators,
            evals=[(_matrix(sample.validation, classes, task, context), "validation")],
            early_stopping_rounds=self.params.early_stopping_rounds,
            verbose_eval=False,
            callbacks=[_stopping(context)],
        )
        return booster[: booster.best_iteration + 1]

    def _settings(self, task: str, n_classes: int, context: FitContext) -> dict[str, Any]:
        values: dict[str, Any] = self.params.model_dump(
            exclude={"n_estimators", "class_weight", "early_stopping_rounds"}
        )
        values |= {
            "objective": _objective(task, n_classes),
            "tree_method": "hist",
            "seed": context.seed,
            "nthread": context.threads,
            "verbosity": 0,
        }
        if values["objective"] == "multi:softprob":
            values["num_class"] = n_classes
        return values

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        return np.asarray(estimator.inplace_predict(_rows(X)), dtype=np.float64)

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        found = np.asarray(estimator.inplace_predict(_rows(X)), dtype=np.float64)
        if found.ndim == 1:
            return np.column_stack([1 - found, found])
        whole: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return whole

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64]:
        gains = np.zeros(estimator.num_features())
        for column, gain in estimator.get_score(importance_type="total_gain").items():
            gains[int(column.removeprefix("f"))] = gain
        return gains

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        path.write_bytes(estimator.save_raw("ubj"))

    @staticmethod
    def load_one(path: Path) -> Any:
        import xgboost

        try:
            return xgboost.Booster(model_file=bytearray(path.read_bytes()))
        except xgboost.core.XGBoostError as error:
            raise InvalidInput(f"the model file {path.name} is no XGBoost model") from error

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "n_estimators": trial.suggest_int("n_estimators", 50, 600, step=50),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "max_depth": trial.suggest_int("max_depth", 3, 10),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.1, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 10.0, log=True),
        }


def _matrix(sample: Sample, classes: NDArray[np.float64], task: str, context: FitContext) -> Any:
    """Labels are numbers, or places among the `classes` of the training rows."""
    import xgboost

    labels = sample.y if task == "regression" else np.searchsorted(classes, sample.y)
    return xgboost.DMatrix(
        _rows(sample.X), label=labels, weight=sample.weights, nthread=context.threads
    )


def _stopping(context: FitContext) -> Any:
    """A callback that ends the fit after the tree at which the job was cancelled."""
    from xgboost.callback import TrainingCallback

    class Stopping(TrainingCallback):  # type: ignore[misc]  # xgboost is untyped
        def after_iteration(self, *_: Any) -> bool:
            context.work.raise_if_cancelled()
            return False

    return Stopping()


def _objective(task: str, n_classes: int) -> str:
    if task == "regression":
        return "reg:squarederror"
    return "binary:logistic" if n_classes == 2 else "multi:softprob"  # noqa: PLR2004 - two classes


def _rows(X: Matrix) -> NDArray[np.float32]:
    return np.ascontiguousarray(X, dtype=np.float32)
