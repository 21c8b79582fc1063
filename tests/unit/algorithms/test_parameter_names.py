"""Parameters under the names that scikit-learn, or the library itself, has for them."""

import pytest

from app.algorithms.base import FitContext, algorithms
from app.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("algorithm", "theirs", "ours"),
    [
        (
            "mlp",
            {"hidden_layer_sizes": [8], "learning_rate_init": 0.01, "max_iter": 5},
            {"hidden_sizes": [8], "learning_rate": 0.01, "max_epochs": 5},
        ),
        ("mlp", {"n_iter_no_change": 3}, {"patience": 3}),
        ("hist_gradient_boosting", {"n_iter_no_change": 3}, {"early_stopping_rounds": 3}),
        ("catboost", {"n_estimators": 7, "max_depth": 3}, {"iterations": 7, "depth": 3}),
        (
            "catboost",
            {"reg_lambda": 1.0, "colsample_bylevel": 0.5, "max_bin": 64},
            {"l2_leaf_reg": 1.0, "rsm": 0.5, "border_count": 64},
        ),
        # beside another validator of the same class
        ("mlp", {"balanced": True, "max_iter": 5}, {"class_weight": "balanced", "max_epochs": 5}),
    ],
)
def test_mean_the_same(algorithm, theirs, ours):
    plugin = algorithms.get(algorithm)
    assert plugin.parse_params(theirs) == plugin.parse_params(ours)


def test_one_that_is_given_twice_is_refused():
    with pytest.raises(InvalidInput) as refused:
        algorithms.get("mlp").parse_params({"max_iter": 5, "max_epochs": 6})
    assert "max_epochs is given twice" in str(refused.value.problem())


@pytest.mark.parametrize("kernel", ["poly", "sigmoid"])
def test_support_vectors_have_the_kernels_of_scikit_learn(kernel):
    said = {"kernel": kernel, "degree": 2, "coef0": 1.5}
    machine = algorithms.get("svm").from_values(said).estimator("regression", FitContext())
    assert said.items() <= machine.get_params().items()
