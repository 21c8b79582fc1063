"""The grade of the headline figure, by the rule that the report states."""

import pytest

from app.reporting.stored import StoredModel
from app.reporting.verdict import judge, judge_all
from tests.support.model_files import class_model, number_model

pytestmark = pytest.mark.req("S0-10")


def graded(model, metric, value, half, baseline):
    figures = {"value": value, "ci_low": value - half, "ci_high": value + half}
    target = model.targets[0]
    metrics = dict(model.metrics) | {
        "test": {target: {metric: figures}},
        "baseline": {target: {metric: {"value": baseline}}},
    }
    return judge(StoredModel(manifest=model.manifest, metrics=metrics, predictions=None), target)


@pytest.mark.parametrize(
    ("value", "half", "grade", "gained"),
    [
        (1.0, 0.1, "strong", 0.5),
        (1.02, 0.1, "useful", 0.49),
        (1.5, 0.1, "useful", 0.25),
        (1.6, 0.1, "weak", 0.2),
        (1.6, 0.4, "none", 0.2),
        (2.5, 0.1, "none", -0.25),
    ],
)
def test_an_error_against_a_baseline_of_2(value, half, grade, gained):
    found = graded(number_model(), "rmse", value, half, 2.0)
    assert (found.grade, found.gained) == (grade, pytest.approx(gained))


@pytest.mark.parametrize(
    ("value", "half", "grade", "gained"),
    [
        (0.84, 0.02, "strong", 0.68),
        (0.74, 0.02, "useful", 0.48),
        (0.6, 0.05, "weak", 0.2),
        (0.6, 0.1, "none", 0.2),
    ],
)
def test_a_score_against_chance(value, half, grade, gained):
    found = graded(class_model(), "roc_auc", value, half, 0.5)
    assert (found.grade, found.gained) == (grade, pytest.approx(gained))


def test_nothing_measured_is_not_graded():
    model = number_model()
    empty = StoredModel(manifest=model.manifest, metrics={}, predictions=None)
    assert judge_all(empty).grade == "unknown"


def test_a_mean_is_worth_nothing_where_no_target_is():
    model = number_model("a", "b")
    assert judge_all(model).grade == "strong"
    worse = {"rmse": {"value": 1.0, "ci_low": 0.1, "ci_high": 3.0}}
    metrics = dict(model.metrics) | {"test": {"a": worse, "b": worse}}
    none = StoredModel(manifest=model.manifest, metrics=metrics, predictions=None)
    assert judge_all(none).grade == "none"
