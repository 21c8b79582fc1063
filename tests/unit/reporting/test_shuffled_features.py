"""Importance of an algorithm that has none of its own, and coefficients of one that has them."""

from dataclasses import replace

import pytest

from app.reporting.importance import importance, shuffled
from app.reporting.page import render_page
from app.reporting.qmrf import qmrf
from tests.support.model_files import class_model, number_model


def losses(*pairs, columns=1):
    return [
        {"name": name, "columns": columns, "loss": loss, "std": loss / 10} for name, loss in pairs
    ]


def measured(model, targets, **changed):
    section = {
        "method": "permutation",
        "metric": "rmse",
        "rows": 40,
        "shuffles": 3,
        "blocks": True,
        "of": 2,
        "targets": targets,
    }
    metrics = dict(model.metrics) | {"importance": section | changed}
    manifest = dict(model.manifest) | {"facts": {}, "algorithm": "svm"}
    return replace(model, manifest=manifest, metrics=metrics)


def one_target(**changed):
    told = losses(("morgan_counts", 0.4), ("erg", -0.02), columns=2048)
    return measured(number_model(), {"logS": {"score": 0.5, "losses": told}}, **changed)


def test_of_one_target_in_its_unit():
    found = shuffled(one_target())
    assert found["title"] == "rise of RMSE"
    first, second = found["features"]
    assert (first["name"], first["loss"], first["std"]) == ("morgan_counts", "+0.400", "0.040")
    assert (first["unit"], first["share"], second["share"]) == ("log mol/L", 1.0, 0.0)
    assert second["loss"] == "-0.020"
    assert "one block" in found["about"]
    assert "40 test rows" in found["about"]
    page = render_page(one_target())
    assert "2,048 columns" in page
    assert "± 0.040 log mol/L" in page
    assert "names no importance" not in page
    assert "rise of RMSE when shuffled:** morgan_counts (+0.400 ± 0.040)" in qmrf(one_target())


def test_errors_of_several_targets_are_relative_to_each():
    """0.4 of 0.5 is 80 %, 10 of 50 is 20 %: 50 % on average."""
    targets = {
        "a": {"score": 0.5, "losses": losses(("dose", 0.4))},
        "b": {"score": 50.0, "losses": losses(("dose", 10.0))},
    }
    found = shuffled(measured(number_model("a", "b"), targets, blocks=False, of=90))
    assert found["features"][0]["loss"] == "+50 %"
    assert found["features"][0]["unit"] == ""
    assert "relative to its error" in found["about"]
    assert "the 1 of 90 features" in found["about"]


def test_a_score_is_lost():
    told = {"active": {"score": 0.8, "losses": losses(("dose", 0.1))}}
    found = shuffled(measured(class_model(), told, metric="roc_auc"))
    assert found["title"] == "loss of AUROC"
    assert found["features"][0]["loss"] == "+0.100"


def test_why_it_was_not_measured_is_said():
    model = one_target(method="none", why="20 test rows are too few")
    assert shuffled(model) == {"why": "20 test rows are too few"}
    assert "not measured when it was trained: 20 test rows are too few" in render_page(model)
    assert "not measured: 20 test rows are too few" in qmrf(model)


def test_a_model_without_error_has_nothing_to_show():
    model = measured(
        number_model("a", "b"), {t: {"score": 0.0, "losses": losses(("x", 0.1))} for t in "ab"}
    )
    assert "no error" in shuffled(model)["why"]
    render_page(model)


def test_an_older_model_says_nothing_of_it():
    assert shuffled(number_model()) is None
    page = render_page(number_model(facts={}))
    assert "names no importance of features. `retort evaluate`" in page


@pytest.mark.parametrize(
    ("made", "words"),
    [(number_model, "the answer changes, in log mol/L,"), (class_model, "log odds of &#34;yes")],
)
def test_a_linear_model_shows_its_coefficients(made, words):
    target = made().targets[0]
    facts = {
        "importances": {target: [["morgan_count_807", 0.3], ["erg_1", 0.1]]},
        "coefficients": {target: [["morgan_count_807", -1.25], ["erg_1", 0.41]]},
    }
    model = made(facts=facts)
    values = [feature["coefficient"] for feature in importance(model)["features"]]
    assert values == [-1.25, 0.41]
    page = render_page(model)
    assert "-1.25" in page
    assert "+0.41" in page
    assert words in page


def test_coefficients_of_several_targets_have_no_mean():
    facts = {
        "importances": {t: [["erg_1", 0.1]] for t in "ab"},
        "coefficients": {t: [["erg_1", 2.0]] for t in "ab"},
    }
    found = importance(number_model("a", "b", facts=facts))
    assert found["features"][0]["coefficient"] is None
    assert found["coefficients"] == ""
