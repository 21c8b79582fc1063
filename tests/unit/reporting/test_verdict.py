"""The grade of the headline figure, by the rule that the report states."""

import pytest

from app.reporting.page import render_page
from app.reporting.statements import headline
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


@pytest.mark.parametrize(("low", "grade"), [(0.45, "none"), (0.52, "strong")])
def test_a_mean_whose_interval_reaches_the_baseline_is_worth_nothing(low, grade):
    model = class_model("a", "b")
    mean = {"roc_auc": {"value": 0.84, "ci_low": low, "ci_high": 0.9}}
    told = StoredModel(
        manifest=model.manifest,
        metrics=dict(model.metrics) | {"mean": mean},
        predictions=model.predictions,
    )
    assert judge_all(told).grade == grade
    said = f"0.840 [{low:.3f}, 0.900]"
    assert f"mean AUROC over 2 targets is {said}" in headline(told)
    assert said in render_page(told).partition('class="mean"')[2].partition("</tr>")[0]


def of_two(errors, baselines, units):
    """A model of logS and Tm with these RMSE, and the means that an earlier release has stored."""
    targets = ("logS", "Tm")
    model = number_model(*targets, units=dict(zip(targets, units, strict=True)))

    def each(values, half):
        return {
            t: {"rmse": {"value": v, "ci_low": v - half * v, "ci_high": v + half * v}}
            for t, v in zip(targets, values, strict=True)
        }

    metrics = dict(model.metrics) | {
        "test": each(errors, 0.1),
        "baseline": each(baselines, 0.0),
        "mean": {"rmse": {"value": sum(errors) / 2}},
        "baseline_mean": {"rmse": {"value": sum(baselines) / 2}},
    }
    return StoredModel(manifest=model.manifest, metrics=metrics, predictions=model.predictions)


@pytest.mark.req("F-07")
def test_errors_in_unlike_units_have_no_mean_and_are_graded_by_what_each_gained():
    model = of_two((1.9, 20.0), (2.0, 80.0), ("log mol/L", "K"))
    found = judge_all(model)
    assert not found.measured
    assert found.gained == pytest.approx((0.05 + 0.75) / 2)
    assert found.grade == "useful", "the plain mean, 10.9 of 41, would be strong"
    said = headline(model)
    assert "10.9" not in said
    assert "covers from 5 % (logS) to 75 % (Tm). 1 of 2 targets are told apart" in said
    assert 'class="mean"' not in render_page(model)
    in_other_units = of_two((1.9, 20_000.0), (2.0, 80_000.0), ("log mol/L", "mK"))
    assert judge_all(in_other_units).gained == pytest.approx(found.gained)


@pytest.mark.req("F-07")
def test_errors_in_one_unit_keep_their_mean_and_unstated_units_are_not_one():
    model = of_two((10.0, 20.0), (20.0, 80.0), ("K", "K"))
    assert judge_all(model).figure == {"value": 15.0}
    assert judge_all(model).gained == pytest.approx((0.5 + 0.75) / 2)
    assert "the mean RMSE over 2 targets is 15" in headline(model)
    assert 'class="mean"' in render_page(model)
    assert not judge_all(of_two((10.0, 20.0), (20.0, 80.0), ("K", ""))).measured
