"""The consensus is the plain average of its members, says who took part, and stores them."""

import numpy as np
import optuna
import pytest

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.core.errors import InvalidInput
from app.core.work import SilentContext

RNG = np.random.default_rng(2)
X = RNG.normal(size=(120, 6)).astype(np.float32)
SIGNAL = X[:, 0] - X[:, 1]
REGRESSION = LearningTask(type="regression", targets=("y",))
MULTI = LearningTask(type="multiclass", targets=("y",), classes=(("a", "b", "c"),))
MEMBERS = [
    {"name": "lightgbm", "params": {"n_estimators": 20}},
    {"name": "xgboost", "params": {"n_estimators": 20}},
    {"name": "ridge", "params": {"alpha": 1.0}},
]


def of(name, values):
    return algorithms.get(name).from_values(values)


def fit(algorithm, task, y, **context):
    return algorithm.fit(task, Examples(X=X, y=y[:, None]), None, FitContext(seed=3, **context))


def alone(task, y, members=MEMBERS):
    return [fit(of(m["name"], m["params"]), task, y).predict(X) for m in members]


@pytest.mark.req("goal-27")
def test_numbers_are_the_mean_and_the_std_is_the_members_spread():
    found = fit(of("consensus", {"members": MEMBERS}), REGRESSION, SIGNAL).predict(X)
    values = np.stack([each.values for each in alone(REGRESSION, SIGNAL)])
    np.testing.assert_allclose(found.values, values.sum(axis=0) / 3, rtol=1e-12)
    expected = np.sqrt(((values - values.sum(axis=0) / 3) ** 2).sum(axis=0) / 3)
    np.testing.assert_allclose(found.std, expected, rtol=1e-9)


def test_probabilities_are_averaged_and_their_spread_is_told():
    y = np.digitize(SIGNAL, [-0.6, 0.6]).astype(float)
    members = MEMBERS[:2]
    found = fit(of("consensus", {"members": members}), MULTI, y).predict(X)
    first, second = (each.probabilities[0] for each in alone(MULTI, y, members))
    np.testing.assert_allclose(found.probabilities[0], (first + second) / 2, rtol=1e-12)
    best = found.values[:, 0].astype(int)
    np.testing.assert_array_equal(best, ((first + second) / 2).argmax(axis=1))
    rows = np.arange(len(X))
    expected = np.abs(first[rows, best] - second[rows, best]) / 2  # std of two numbers
    np.testing.assert_allclose(found.std[:, 0], expected, atol=1e-12)


def test_importances_are_averaged():
    model = fit(of("consensus", {"members": MEMBERS}), REGRESSION, SIGNAL)
    shares = [
        fit(of(m["name"], m["params"]), REGRESSION, SIGNAL).importances()["y"] for m in MEMBERS
    ]
    np.testing.assert_allclose(model.importances()["y"], sum(shares) / 3, rtol=1e-12)
    ranked = model.describe()["importances"]["y"]
    assert {ranked[0][0], ranked[1][0]} == {0, 1}
    assert sum(model.importances()["y"]) == pytest.approx(1)


def test_each_member_lies_in_a_folder_of_its_own(tmp_path):
    model = fit(of("consensus", {"members": MEMBERS}), REGRESSION, SIGNAL)
    model.save(tmp_path)
    assert (tmp_path / "member-0" / "target-0.txt").exists()
    assert (tmp_path / "member-2" / "scaling-0.safetensors").exists()
    loaded = algorithms.get("consensus").load(tmp_path, REGRESSION)
    assert loaded.describe() == model.describe()


def test_a_default_member_that_is_not_installed_is_left_out_and_named(monkeypatch, tmp_path):
    from app.algorithms import xgboost as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    algorithm = of("consensus", {})
    assert algorithm.unavailable() is None
    model = fit(algorithm, REGRESSION, SIGNAL)
    facts = model.describe()
    assert facts["members"] == ["lightgbm", "catboost"]
    assert "xgboost-cpu" in facts["left_out"]["xgboost"]
    model.save(tmp_path)
    assert algorithms.get("consensus").load(tmp_path, REGRESSION).describe() == facts


def test_a_member_that_was_asked_for_and_is_not_installed_is_refused(monkeypatch):
    from app.algorithms import xgboost as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="xgboost-cpu") as refused:
        of("consensus", {"members": MEMBERS})
    assert refused.value.problem()["code"] == "algorithm_unavailable"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ([{"name": "lightgbn"}], "/members/0"),
        ([MEMBERS[0], {"name": "xgboost", "params": {"depth": 3}}], "/members/1/params/depth"),
        ([{"name": "consensus"}], "/members/0"),
        ([], "/members"),
    ],
)
def test_a_wrong_member_is_named_by_its_place(members, pointer):
    with pytest.raises(InvalidInput) as refused:
        of("consensus", {"members": members})
    assert refused.value.errors[0]["pointer"] == pointer


def test_a_member_for_another_task_is_refused():
    y = np.digitize(SIGNAL, [-0.6, 0.6]).astype(float)
    with pytest.raises(InvalidInput, match="ridge does not do multiclass"):
        fit(of("consensus", {"members": MEMBERS}), MULTI, y)


def test_it_asks_for_a_validation_part_when_a_member_does():
    assert not of("consensus", {"members": MEMBERS}).needs_validation
    assert of("consensus", {"members": [MEMBERS[0], {"name": "mlp"}]}).needs_validation


def test_members_share_the_weights_of_classes_unless_they_have_their_own():
    members = [
        {"name": "lightgbm"},
        {"name": "ridge"},
        {"name": "xgboost", "params": {"class_weight": {"b": 2}}},
    ]
    algorithm = of("consensus", {"members": members, "class_weight": "balanced"})
    assert algorithm.weighs_classes
    found = [getattr(member.params, "class_weight", None) for _, member in algorithm._members()]
    assert found == ["balanced", None, {"b": 2.0}]
    assert not of("consensus", {"members": members[:2]}).weighs_classes


def test_progress_goes_over_all_members_and_never_back():
    work = SilentContext()
    fit(of("consensus", {"members": MEMBERS}), REGRESSION, SIGNAL, work=work)
    shares = [told["done"] / told["total"] for told in work.told]
    assert shares == pytest.approx([0, 1 / 3, 2 / 3])
    assert [told["message"].split()[0] for told in work.told] == ["lightgbm", "xgboost", "ridge"]


def test_its_search_space_is_its_members_spaces_side_by_side():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    values = algorithms.get("consensus").suggest(trial, REGRESSION)
    drawn = {member["name"]: member["params"] for member in values["members"]}
    assert list(drawn) == ["lightgbm", "xgboost", "catboost"]
    assert trial.params["xgboost.max_depth"] == drawn["xgboost"]["max_depth"]
