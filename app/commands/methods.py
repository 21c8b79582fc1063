"""The names that OSDR has for its methods of learning (requirements U-13), and what each is here.

Its 17 names say classifier or regressor; without that word the target decides. They are read in any
case, before the names and aliases of the registry (GET /api/v1/catalog/algorithms).
"""

from dataclasses import dataclass
from typing import Literal

Task = Literal["auto", "regression", "multiclass"]
#: what a target holds
Holds = Literal["numbers", "classes"]


@dataclass(frozen=True, kw_only=True)
class Method:
    #: name of our algorithm
    algorithm: str
    #: of two classes or more is seen in the data; auto: the target decides
    task: Task = "auto"
    #: name of the algorithm that learns numbers, where that is another one
    of_numbers: str | None = None

    def for_target(self, holds: Holds | None) -> str:
        """Name of the algorithm; None: it is not known yet, then it is what OSDR means."""
        return self.of_numbers if holds == "numbers" and self.of_numbers else self.algorithm


def _of_both(name: str, algorithm: str) -> dict[str, Method]:
    return {
        name: Method(algorithm=algorithm),
        f"{name}classifier": Method(algorithm=algorithm, task="multiclass"),
        f"{name}regressor": Method(algorithm=algorithm, task="regression"),
    }


METHODS: dict[str, Method] = {
    "naivebayes": Method(algorithm="naive_bayes", task="multiclass"),
    # OSDR calls logistic regression so
    "linearregression": Method(algorithm="logistic_regression", of_numbers="linear_regression"),
    # with it, of AdaBoost
    "decisiontree": Method(algorithm="ada_boost"),
    "kernelridge": Method(algorithm="kernel_ridge", task="regression"),
    "kernelridgeregressor": Method(algorithm="kernel_ridge", task="regression"),
    "elasticnet": Method(algorithm="elastic_net", task="regression"),
    **_of_both("randomforest", "random_forest"),
    **_of_both("supportvectormachine", "svm"),
    **_of_both("nearestneighbors", "k_neighbors"),
    **_of_both("extremegradientboosting", "xgboost"),
    **_of_both("dnn", "mlp"),
    # several classes, several targets: the network learns either as it is
    "dnnmulticlassifier": Method(algorithm="mlp", task="multiclass"),
    "dnnmultiregressor": Method(algorithm="mlp", task="regression"),
}


def method_of(name: str) -> Method | None:
    """None: it is no name of OSDR's."""
    return METHODS.get(name.lower())
