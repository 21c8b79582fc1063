"""What each field of a command, and each name of a method, becomes in the job."""

import pytest
from pydantic import ValidationError

from app.algorithms.base import algorithms
from app.commands.methods import METHODS, method_of
from app.commands.types import (
    CalculateFeatureVectors,
    OptimizeTraining,
    PredictProperties,
    TrainModel,
)

SENT = {"id": "c1", "user_id": "ada", "correlation_id": "k1"}
#: as TrainModel's Method named them (requirements U-13): ours, and what it learns
OSDR = {
    "naivebayes": ("naive_bayes", "multiclass"),
    "linearregression": ("logistic_regression", "auto"),
    "decisiontree": ("ada_boost", "auto"),
    "randomforestclassifier": ("random_forest", "multiclass"),
    "randomforestregressor": ("random_forest", "regression"),
    "supportvectormachineclassifier": ("svm", "multiclass"),
    "supportvectormachineregressor": ("svm", "regression"),
    "kernelridgeregressor": ("kernel_ridge", "regression"),
    "nearestneighborsclassifier": ("k_neighbors", "multiclass"),
    "nearestneighborsregressor": ("k_neighbors", "regression"),
    "extremegradientboostingclassifier": ("xgboost", "multiclass"),
    "extremegradientboostingregressor": ("xgboost", "regression"),
    "elasticnet": ("elastic_net", "regression"),
    "dnnclassifier": ("mlp", "multiclass"),
    "dnnregressor": ("mlp", "regression"),
    "dnnmulticlassifier": ("mlp", "multiclass"),
    "dnnmultiregressor": ("mlp", "regression"),
}
#: without the word that says what is learned: the target says it
SHORT = {
    "randomforest": "random_forest",
    "supportvectormachine": "svm",
    "nearestneighbors": "k_neighbors",
    "extremegradientboosting": "xgboost",
    "dnn": "mlp",
}


def trained(algorithm, **fields):
    command = TrainModel(**SENT, dataset_id="esol", algorithm=algorithm, **fields)
    return command.submission().params


@pytest.mark.req("U-13")
@pytest.mark.parametrize("write", [str, str.upper, str.title])
@pytest.mark.parametrize(("name", "meant"), OSDR.items())
def test_the_17_methods_in_any_case(name, meant, write):
    params = trained(write(name))
    assert (params.algorithm.name, params.task) == meant
    tasks = algorithms.get(params.algorithm.name).tasks
    assert params.task == "auto" or params.task in tasks


@pytest.mark.req("U-13")
@pytest.mark.parametrize(("name", "ours"), SHORT.items())
def test_the_target_decides_where_the_name_does_not(name, ours):
    params = trained(name)
    assert (params.algorithm.name, params.task) == (ours, "auto")
    assert {"regression", "binary"} <= algorithms.get(ours).tasks


def test_every_method_is_an_algorithm_that_there_is():
    named = {method.algorithm for method in METHODS.values()}
    named |= {method.of_numbers for method in METHODS.values() if method.of_numbers}
    assert named <= set(algorithms.names())
    assert OSDR.keys() | SHORT.keys() <= METHODS.keys()


def test_linear_regression_learns_numbers_only_where_the_target_holds_them():
    method = method_of("LinearRegression")
    assert method.for_target("numbers") == "linear_regression"
    assert method.for_target("classes") == "logistic_regression"
    assert method.for_target(None) == "logistic_regression", "as OSDR means it"
    assert method_of("RandomForest").for_target("numbers") == "random_forest"


def test_names_of_ours_are_left_alone():
    params = trained("hist_gradient_boosting", hyperparameters={"max_iter": 50})
    assert params.algorithm.name == "hist_gradient_boosting"
    assert params.algorithm.params == {"max_iter": 50}
    assert params.task == "auto"
    assert trained("ridge", params={"task": "regression"}).task == "regression"


@pytest.mark.req("S0-15", "S0-17")
def test_train_model():
    submission = TrainModel(
        **SENT, dataset_id="esol:2", algorithm="randomforest", hyperparameters={"max_depth": 4}
    ).submission()
    assert (submission.kind, submission.params.dataset) == ("train", "esol:2")
    assert submission.params.algorithm.params == {"max_depth": 4}
    assert (submission.client_ref, submission.correlation_id) == ("c1", "k1")
    assert trained("randomforest", hyperparameters=None).algorithm.params == {}
    default = TrainModel(**SENT, dataset_id="esol").submission().params
    assert default.algorithm.name == "consensus"


@pytest.mark.req("S0-06")
def test_optimize_training_takes_the_same_names():
    command = OptimizeTraining(
        **SENT, dataset_id="esol", algorithm="ExtremeGradientBoostingRegressor", n_trials=3
    )
    params = command.submission().params
    assert (params.algorithm, params.task, params.n_trials) == ("xgboost", "regression", 3)


@pytest.mark.req("S0-16")
def test_predict_properties():
    command = PredictProperties(**SENT, model_id="sol@champion", dataset_id="esol")
    params = command.submission().params
    assert (params.model, params.dataset, params.file_id) == ("sol@champion", "esol", None)


@pytest.mark.req("S0-14")
def test_calculate_feature_vectors_reads_a_data_set_or_a_blob():
    command = CalculateFeatureVectors(
        **SENT, dataset_id="esol", features=[{"name": "ECFP", "params": {"n_bits": 512}}]
    )
    params = command.submission().params
    assert params.dataset == "esol"
    assert [spec.name for spec in params.features] == ["ECFP"]
    assert CalculateFeatureVectors(**SENT, blob_id="b").bucket == "retort"
    for wrong in ({}, {"dataset_id": "esol", "blob_id": "b"}):
        with pytest.raises(ValidationError, match="either dataset_id, or blob_id and bucket"):
            CalculateFeatureVectors(**SENT, **wrong)


def test_each_command_counts_its_ids_by_itself():
    keys = {
        TrainModel(**SENT, dataset_id="d").idempotency_key,
        OptimizeTraining(**SENT, dataset_id="d").idempotency_key,
        PredictProperties(**SENT, model_id="m").idempotency_key,
    }
    assert len(keys) == 3
