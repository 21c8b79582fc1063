"""LightGBM."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.fast_forms import FastForm
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.lightgbm_rows import LightGbmForm
from app.algorithms.per_target import PerTargetAlgorithm, Sample

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class LightGbm(PerTargetAlgorithm):
    """The quickest of the boosters, and the best of them on larger sets.

    Many small steps over a third of the columns each; deterministic for a seed.
    """

    name = "lightgbm"
    aliases = ("LGBMClassifier", "LGBMRegressor", "LightGBM")
    summary = "Gradient boosted trees, leaf by leaf"
    reference = "Ke et al. 2017, NeurIPS; lightgbm.train"
    tasks = frozenset({"regression", "binary", "multiclass"})
    suffix = ".txt"
    fast_rows = 4

    class Params(WeightedClasses):
        n_estimators: int = Field(default=600, ge=1, le=20_000)
        learning_rate: float = Field(default=0.03, gt=0, le=1)
        num_leaves: int = Field(default=31, ge=2, le=4_096)
        max_depth: int = Field(default=-1, ge=-1, le=100)
        min_child_samples: int = Field(default=10, ge=1, le=10_000)
        subsample: float = Field(default=1.0, gt=0, le=1)
        colsample_bytree: float = Field(default=0.3, gt=0, le=1)
        reg_alpha: float = Field(default=0.0, ge=0)
        reg_lambda: float = Field(default=0.0, ge=0)
        #: trees without a better validation loss before it stops; null: all of them
        early_stopping_rounds: int | None = Field(default=None, ge=1, le=10_000)

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        import lightgbm

        classes = np.unique(sample.y)
        options = {"verbose": -1, "max_bin": 63, "num_threads": context.threads}
        data = lightgbm.Dataset(
            _rows(sample.X),
            label=_labels(sample, classes, task),
            weight=sample.weights,
            params=options,
            free_raw_data=True,
        )

        def stop_when_asked(_: Any) -> None:
            context.work.raise_if_cancelled()

        callbacks: list[Any] = [stop_when_asked]
        held_out = []
        if sample.validation is not None:
            callbacks.append(
                lightgbm.early_stopping(self.params.early_stopping_rounds, verbose=False)
            )
            part = sample.validation
            held_out = [data.create_valid(_rows(part.X), label=_labels(part, classes, task))]
        return lightgbm.train(
            self._settings(task, len(classes), context),
            data,
            num_boost_round=self.params.n_estimators,
            valid_sets=held_out,
            callbacks=callbacks,
        )

    def _settings(self, task: str, n_classes: int, context: FitContext) -> dict[str, Any]:
        values: dict[str, Any] = self.params.model_dump(
            exclude={"n_estimators", "class_weight", "early_stopping_rounds"}
        )
        if self.params.subsample < 1.0:
            values["subsample_freq"] = 1
        values |= {
            "verbose": -1,
            "max_bin": 63,
            "seed": context.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": context.threads,
        }
        if task == "regression":
            return values | {"objective": "regression"}
        if n_classes == 2:  # noqa: PLR2004 - two classes
            return values | {"objective": "binary"}
        return values | {"objective": "multiclass", "num_class": n_classes}

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        return np.asarray(estimator.predict(_rows(X), num_threads=1), dtype=np.float64)

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        found = np.asarray(estimator.predict(_rows(X), num_threads=1), dtype=np.float64)
        return np.column_stack([1 - found, found]) if found.ndim == 1 else found

    @staticmethod
    def fast_one(estimator: Any, *, classifies: bool) -> FastForm:
        return LightGbmForm(estimator, classifies=classifies)

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64]:
        return np.asarray(estimator.feature_importance("gain"), dtype=np.float64)

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        estimator.save_model(path)

    @staticmethod
    def load_one(path: Path) -> Any:
        import lightgbm

        return lightgbm.Booster(model_file=path)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "n_estimators": trial.suggest_int("n_estimators", 200, 1200, step=100),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 7, 63, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 3, 30, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.05, 0.6, log=True),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 10.0, log=True),
        }


def _labels(sample: Sample, classes: NDArray[np.float64], task: str) -> NDArray[Any]:
    """Numbers, or places among the `classes` of the training rows."""
    return sample.y if task == "regression" else np.searchsorted(classes, sample.y)


def _rows(X: Matrix) -> NDArray[np.float32]:
    return np.ascontiguousarray(X, dtype=np.float32)
