"""Logistic regression."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.sklearn_estimators import SklearnAlgorithm
from app.core.errors import InvalidInput

if TYPE_CHECKING:
    from optuna.trial import Trial

#: C from here on is no penalty at all: scikit-learn's infinity, which JSON cannot say
_UNPENALIZED = 1e12
#: what each solver can do (docstring of scikit-learn 1.9's LogisticRegression)
_L1_SOLVERS = ("liblinear", "saga")
_SEED_SOLVERS: Mapping[str, tuple[str, ...]] = {
    "l2": ("lbfgs", "liblinear", "saga"),
    "l1": ("liblinear", "saga"),
    "elasticnet": ("saga",),
    "none": ("lbfgs", "saga"),
}


@algorithms.register
class LogisticRegression(SklearnAlgorithm):
    """The penalty is C with l1_ratio (scikit-learn >= 1.8): 0 is L2 by lbfgs, above by saga.
    C defaults to 0.01, not 1, for the same reason as ridge's alpha.

    The older word `penalty` (l1, l2, elasticnet, none or null) is taken and translated; a solver
    that cannot do what is asked is refused before anything is fitted.
    """

    name = "logistic_regression"
    aliases = ("LogisticRegression",)
    summary = "Linear classifier with probabilities, on scaled features"
    reference = "sklearn.linear_model.LogisticRegression"
    tasks = frozenset({"binary", "multiclass"})
    scaled = True

    class Params(WeightedClasses):
        #: inverse strength of the penalty; 1e12: no penalty
        C: float = Field(default=0.01, gt=0, le=_UNPENALIZED)
        #: 0: L2, 1: L1, between: both
        l1_ratio: float = Field(default=0.0, ge=0, le=1)
        #: auto: lbfgs, or saga where there is an L1 part. liblinear: binary targets only
        solver: Literal["auto", "lbfgs", "liblinear", "saga"] = "auto"
        max_iter: int = Field(default=500, ge=1, le=100_000)

        @model_validator(mode="before")
        @classmethod
        def _penalty_in_words(cls, values: Any) -> Any:
            if not isinstance(values, dict) or "penalty" not in values:
                return values
            rest = {name: value for name, value in values.items() if name != "penalty"}
            return rest | _translated(values["penalty"], rest)

        @model_validator(mode="after")
        def _solver_can(self) -> Self:
            unpenalized = self.C >= _UNPENALIZED
            mixed = 0 < self.l1_ratio < 1 and not unpenalized
            pure_l1 = self.l1_ratio == 1 and not unpenalized
            if mixed and self.solver not in ("auto", "saga"):
                raise ValueError(f"an elastic net is done by saga only, not by {self.solver}")
            if pure_l1 and self.solver not in ("auto", *_L1_SOLVERS):
                raise ValueError(f"an L1 penalty is done by liblinear or saga, not {self.solver}")
            if unpenalized and self.solver == "liblinear":
                raise ValueError("liblinear always penalizes; use lbfgs or saga")
            return self

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

        values = self.params.model_dump(exclude={"class_weight"})
        if values["C"] >= _UNPENALIZED:
            values |= {"C": np.inf, "l1_ratio": 0.0}
        if values["solver"] == "auto":
            values["solver"] = "saga" if values["l1_ratio"] > 0 else "lbfgs"
        if values["solver"] == "liblinear" and task == "multiclass":
            raise InvalidInput(
                "the solver liblinear knows two classes only",
                remedy="Use lbfgs or saga for three classes and more.",
            )
        return SklearnLogisticRegression(**values, random_state=context.seed)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """S4-11 without its invalid pairs (F-15): C and l1_ratio say it all."""
        del task
        return {
            "C": trial.suggest_float("C", 1e-4, 100.0, log=True),
            "class_weight": trial.suggest_categorical("class_weight", [None, "balanced"]),
        }

    @classmethod
    def suggest_seed(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """The space of the ML worker (S4-11), where each penalty draws among the solvers that can
        do it (F-15). Optuna wants one fixed list per name, hence a name for each penalty.
        """
        penalty = trial.suggest_categorical("penalty", list(_SEED_SOLVERS))
        solvers = [s for s in _SEED_SOLVERS[penalty] if s != "liblinear" or task.type == "binary"]
        values: dict[str, Any] = {
            "penalty": penalty,
            "solver": trial.suggest_categorical(f"solver_{penalty}", solvers),
            "max_iter": trial.suggest_int("max_iter", 100, 1000),
        }
        if penalty != "none":
            values["C"] = trial.suggest_float("C", 0.001, 100.0, log=True)
        if penalty == "elasticnet":
            values["l1_ratio"] = trial.suggest_float("l1_ratio", 0.0, 1.0)
        return values


def _translated(penalty: Any, rest: Mapping[str, Any]) -> dict[str, Any]:
    """`penalty` of scikit-learn before 1.8 as C and l1_ratio."""
    word = "none" if penalty is None else str(penalty).lower()
    if word not in _SEED_SOLVERS:
        raise ValueError(f"penalty is one of {', '.join(_SEED_SOLVERS)}, not {penalty!r}")
    if word == "none":
        return {"C": _UNPENALIZED, "l1_ratio": 0.0}
    if word == "elasticnet":
        return {"l1_ratio": rest.get("l1_ratio", 0.5)}
    return {"l1_ratio": 1.0 if word == "l1" else 0.0}
