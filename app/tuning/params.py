"""What an `optimize` job takes."""

from typing import Literal

from pydantic import Field

from app.core.requests import Slug
from app.training.params import LearnSpec


class OptimizeParams(LearnSpec):
    """Search the algorithm's space by cross-validation inside train + validation rows; the test
    rows are not touched. The untuned defaults are always trial 0, so the gain is honest.
    """

    algorithm: str = Field(default="lightgbm", max_length=100)
    n_trials: int = Field(default=20, ge=1, le=100_000)
    folds: int = Field(default=3, ge=2, le=10)
    #: left out: rmse for regression, roc_auc for binary, balanced_accuracy for multiclass
    metric: str | None = Field(default=None, max_length=100)
    sampler: Literal["tpe", "random"] = "tpe"
    #: how many trials may run at the same time. A trial is drawn from the results of all before it
    #: but those that may still run, whoever is done first, so that the same request tries the same
    #: parameters; left out: 4, or an eighth of the trials
    at_once: int | None = Field(default=None, ge=1, le=200)
    #: seed: the ML worker's documented space (random_forest, gradient_boosting,
    #: logistic_regression); other algorithms have one space
    space: Literal["default", "seed"] = "default"
    #: train: the best parameters become a model version
    then: Literal["train", "none"] = "train"
    alias: Slug | None = None
    bootstrap: int = Field(default=1_000, ge=0, le=100_000)
