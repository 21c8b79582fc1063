"""Support vector machine."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from app.algorithms.base import FitContext, LearningTask, algorithms
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.sklearn_estimators import SklearnAlgorithm

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class Svm(SklearnAlgorithm):
    """Cost grows with the square of the rows: minutes at 8,000 rows, an hour at 40,000.

    Class probabilities come from Platt's sigmoid over 3 inner folds
    (sklearn.calibration.CalibratedClassifierCV; SVC's own `probability` is deprecated).
    """

    name = "svm"
    aliases = ("SVC", "SVR", "supportvectormachine")
    summary = "Support vectors with a radial kernel, on scaled features"
    reference = "Cortes & Vapnik 1995; Platt 1999; sklearn.svm.SVR, SVC"
    tasks = frozenset({"regression", "binary", "multiclass"})
    scaled = True
    compares_rows = True

    class Params(WeightedClasses):
        C: float = Field(default=5.0, gt=0, le=1e6)
        kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf"
        gamma: Literal["scale", "auto"] | float = "scale"
        #: of the polynomial
        degree: int = Field(default=3, ge=1, le=10)
        #: added in the polynomial and the sigmoid
        coef0: float = 0.0
        #: half width of the tube without loss, in the target's unit (regression)
        epsilon: float = Field(default=0.1, ge=0)
        #: a bound, so that a hopeless problem ends
        max_iter: int = Field(default=200_000, ge=1)

    def estimator(self, task: str, context: FitContext) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC, SVR

        common = self.params.model_dump(exclude={"class_weight", "epsilon"})
        if task == "regression":
            return SVR(**common, epsilon=self.params.epsilon, cache_size=500)
        machine = SVC(
            **common,
            random_state=context.seed,
            cache_size=500,
        )
        return CalibratedClassifierCV(machine, method="sigmoid", cv=3, ensemble=False)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        space: dict[str, Any] = {
            "C": trial.suggest_float("C", 1e-2, 1e3, log=True),
            "gamma": trial.suggest_float("gamma", 1e-6, 1e-1, log=True),
        }
        if task.type == "regression":
            space["epsilon"] = trial.suggest_float("epsilon", 1e-3, 0.5, log=True)
        return space
