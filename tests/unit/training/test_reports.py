"""Confusion matrix and classification report against scikit-learn called directly."""

import numpy as np
import pytest
from sklearn import metrics as reference

from app.algorithms.base import LearningTask, Predictions
from app.training.reports import class_report, residuals, target_reports

RNG = np.random.default_rng(3)


@pytest.mark.req("S4-03", "S4-12")
@pytest.mark.parametrize("labels", [("No", "Yes"), ("a", "b", "c", "never seen")])
def test_the_report_is_scikit_learns(labels):
    seen = len(labels) if len(labels) == 2 else len(labels) - 1
    true = RNG.integers(0, seen, 300).astype(float)
    predicted = np.where(RNG.random(300) < 0.7, true, RNG.integers(0, seen, 300)).astype(float)
    numbers = range(len(labels))
    expected = reference.classification_report(
        true,
        predicted,
        labels=list(numbers),
        target_names=labels,
        output_dict=True,
        zero_division=0,
    )
    # with labels given that do not all occur, sklearn calls the accuracy "micro avg"
    expected["accuracy"] = reference.accuracy_score(true, predicted)
    expected.pop("micro avg", None)
    found = class_report(labels, true, predicted)
    assert list(found["classification_report"])[-3:] == ["accuracy", "macro avg", "weighted avg"]
    assert set(found["classification_report"]) == set(expected)
    for name, line in expected.items():
        assert found["classification_report"][name] == pytest.approx(line), name
    matrix = reference.confusion_matrix(true, predicted, labels=list(numbers))
    assert found["confusion_matrix"] == {"labels": list(labels), "counts": matrix.tolist()}


def test_residuals_are_measured_minus_predicted():
    true, predicted = np.array([1.0, 2.0, 3.0, 10.0]), np.array([1.5, 2.0, 2.0, 4.0])
    found = residuals(true, predicted)
    assert (found["min"], found["max"], found["n"]) == (-0.5, 6.0, 4)
    assert found["mean"] == pytest.approx(1.625)
    assert found["quantiles"]["0.5"] == pytest.approx(0.5)


def test_rows_without_a_label_are_no_part_of_a_targets_report():
    task = LearningTask(type="binary", targets=("a", "b", "c"), classes=(("0", "1"),) * 3)
    y = np.array([[1.0, np.nan, np.nan], [0.0, 1.0, np.nan], [np.nan, 1.0, np.nan]])
    found = target_reports(task, y, Predictions(values=np.ones((3, 3))))
    assert found["a"]["confusion_matrix"]["counts"] == [[0, 1], [0, 1]]
    assert found["b"]["confusion_matrix"]["counts"] == [[0, 0], [0, 2]]
    assert "c" not in found, "it has no label"
