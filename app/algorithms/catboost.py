"""CatBoost."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

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
class CatBoost(PerTargetAlgorithm):
    """Every level of a tree asks one question, so single trees are weak, their sum is smooth,
    and it errs elsewhere than the other boosters do: worth most as their companion.

    Defaults differ from CatBoost's for thousands of weak columns: a tenth of them per tree (`rsm`)
    and 32 thresholds per column instead of 254 make a fit ten times faster and no worse.
    The number of threads changes nothing in the result.
    """

    name = "catboost"
    aliases = ("CatBoostClassifier", "CatBoostRegressor", "CatBoost", "cat")
    summary = "Gradient boosted symmetric trees"
    reference = "Prokhorenkova et al. 2018, NeurIPS; catboost.CatBoost"
    tasks = frozenset({"regression", "binary", "multiclass"})
    suffix = ".cbm"

    class Params(WeightedClasses):
        #: synonyms of CatBoost's own
        also_called: ClassVar[Mapping[str, str]] = {
            "n_estimators": "iterations",
            "max_depth": "depth",
            "reg_lambda": "l2_leaf_reg",
            "colsample_bylevel": "rsm",
            "max_bin": "border_count",
        }

        iterations: int = Field(default=500, ge=1, le=20_000)
        learning_rate: float = Field(default=0.1, gt=0, le=1)
        depth: int = Field(default=6, ge=1, le=16)
        l2_leaf_reg: float = Field(default=3.0, ge=0)
        random_strength: float = Field(default=1.0, ge=0)
        #: share of the columns that each tree may look at
        rsm: float = Field(default=0.1, gt=0, le=1)
        #: share of the rows that each tree sees
        subsample: float = Field(default=0.8, gt=0, le=1)
        #: thresholds per column
        border_count: int = Field(default=32, ge=1, le=65_535)
        #: trees without a better validation loss before it stops; null: all of them
        early_stopping_rounds: int | None = Field(default=None, ge=1, le=10_000)

    @classmethod
    def unavailable(cls) -> str | None:
        return None if find_spec("catboost") else "the package catboost is not installed"

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        import catboost

        if not _varies(sample.X):
            raise InvalidInput(
                "no feature column differs between the training rows",
                remedy="Choose other features, or give more rows.",
            )
        classes = np.unique(sample.y)
        model = catboost.CatBoost(self._settings(task, len(classes), context))
        held_out = sample.validation
        model.fit(
            _pool(sample, classes, task),
            eval_set=None if held_out is None else _pool(held_out, classes, task),
            early_stopping_rounds=self.params.early_stopping_rounds if held_out else None,
            use_best_model=held_out is not None,
            callbacks=[_StopWhenAsked(context)],
        )
        context.work.raise_if_cancelled()
        return model

    def _settings(self, task: str, n_classes: int, context: FitContext) -> dict[str, Any]:
        values: dict[str, Any] = self.params.model_dump(
            exclude={"class_weight", "early_stopping_rounds"}
        )
        return values | {
            "loss_function": _loss(task, n_classes),
            "bootstrap_type": "Bernoulli",
            "random_seed": context.seed,
            "thread_count": context.threads,
            "allow_writing_files": False,
            "verbose": False,
        }

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        found = estimator.predict(_rows(X), prediction_type="RawFormulaVal", thread_count=1)
        return np.asarray(found, dtype=np.float64)

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        found = estimator.predict(_rows(X), prediction_type="Probability", thread_count=1)
        return np.asarray(found, dtype=np.float64)

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64]:
        return np.asarray(estimator.get_feature_importance(thread_count=1), dtype=np.float64)

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        _forget_the_run(estimator)
        estimator.save_model(str(path), format="cbm")

    @staticmethod
    def load_one(path: Path) -> Any:
        import catboost

        try:
            return catboost.CatBoost().load_model(str(path), format="cbm")
        except catboost.CatBoostError as error:
            raise InvalidInput(f"the model file {path.name} is no CatBoost model") from error

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "iterations": trial.suggest_int("iterations", 200, 1000, step=100),
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            "depth": trial.suggest_int("depth", 4, 8),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 20.0, log=True),
            "rsm": trial.suggest_float("rsm", 0.05, 0.5, log=True),
            "random_strength": trial.suggest_float("random_strength", 0.1, 5.0, log=True),
        }


class _StopWhenAsked:
    """A callback that ends the fit after the tree at which the job was cancelled."""

    def __init__(self, context: FitContext) -> None:
        self._work = context.work

    def after_iteration(self, _: Any) -> bool:
        try:
            self._work.raise_if_cancelled()
        except Exception:  # noqa: BLE001 - an exception does not pass through C++; fit_one raises it
            return False
        return True


def _forget_the_run(estimator: Any) -> None:
    """Drop what CatBoost notes of the run and predictions do not need: time, a random identifier,
    the learning curve, the number of threads.
    """
    notes = estimator.get_metadata()
    for name in [name for name in notes.keys() if name != "params"]:  # noqa: SIM118 - no mapping
        del notes[name]
    params = json.loads(notes["params"])
    params["system_options"]["thread_count"] = 1
    params["flat_params"].pop("thread_count", None)
    notes["params"] = json.dumps(params, sort_keys=True)


def _pool(sample: Sample, classes: NDArray[np.float64], task: str) -> Any:
    """Labels are numbers, or places among the `classes` of the training rows."""
    import catboost

    labels = sample.y if task == "regression" else np.searchsorted(classes, sample.y)
    return catboost.Pool(_rows(sample.X), label=labels, weight=sample.weights)


def _loss(task: str, n_classes: int) -> str:
    if task == "regression":
        return "RMSE"
    return "Logloss" if n_classes == 2 else "MultiClass"  # noqa: PLR2004 - two classes


def _varies(X: Matrix) -> bool:
    """Whether any column holds two different values (missing is one value)."""
    rows = _rows(X)
    return bool(((rows[0] != rows) & ~(np.isnan(rows) & np.isnan(rows[0]))).any())


def _rows(X: Matrix) -> NDArray[np.float32]:
    return np.ascontiguousarray(X, dtype=np.float32)
