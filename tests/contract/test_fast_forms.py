"""A fast form gives its estimator's numbers, is proved before use, and does not lie unnoticed."""

from dataclasses import replace

import numpy as np
import pytest

from app.algorithms.base import algorithms
from app.algorithms.fast_forms import TOLERANCE, Numbers, Proof
from app.algorithms.per_target import PerTargetAlgorithm
from tests.contract.test_algorithms import CASES, TASKS, X, once

NEW = X[350:].copy()
NEW[3, 0] = np.nan
FAST = [
    (name, kind)
    for name, kind in CASES
    if issubclass(algorithms.get(name), PerTargetAlgorithm) and algorithms.get(name).fast_rows
]
EACH = pytest.mark.parametrize(("name", "kind"), FAST)


def stored(name, kind, folder):
    once(name, kind).save(folder)
    return algorithms.get(name).load(folder, TASKS[kind])


class Lying:
    """A form that is off by a millionth, in whose place `engine` says nothing of it."""

    engine = "a liar"

    def __init__(self, form):
        self._form = form
        self.width = form.width

    def numbers(self, rows):
        found = self._form.numbers(rows)
        return Numbers(values=found.values * (1 + 1e-6), std=found.std)


def test_the_forests_boosters_and_lightgbm_have_one():
    assert {name for name, _ in FAST} >= {
        "random_forest",
        "extra_trees",
        "gradient_boosting",
        "hist_gradient_boosting",
        "ada_boost",
        "lightgbm",
    }


@EACH
def test_it_is_the_estimator_row_by_row_and_together(name, kind, tmp_path):
    """Missing values too; also where a batch is large enough for the estimator itself."""
    engine = stored(name, kind, tmp_path)._engines[0]
    inputs = engine.fitted.inputs(NEW)
    form, expected = engine._form, engine._original(inputs)
    assert form is not None
    assert form.numbers(inputs).difference(expected) <= TOLERANCE
    for row in range(len(inputs)):
        one = form.numbers(inputs[row : row + 1])
        np.testing.assert_allclose(one.values[0], expected.values[row], rtol=1e-12, atol=1e-15)


class Counted:
    """What an engine asked of its two forms, as numbers of rows."""

    def __init__(self, engine, monkeypatch):
        self.fast, self.original = [], []
        monkeypatch.setattr(engine._form, "numbers", self._of(engine._form.numbers, self.fast))
        monkeypatch.setattr(engine, "_original", self._of(engine._original, self.original))

    @staticmethod
    def _of(numbers, asked):
        def counted(rows):
            asked.append(len(rows))
            return numbers(rows)

        return counted


@EACH
def test_the_fast_form_answers_a_few_rows_and_the_estimator_more(name, kind, tmp_path, monkeypatch):
    engine, few = stored(name, kind, tmp_path)._engines[0], algorithms.get(name).fast_rows
    asked = Counted(engine, monkeypatch)
    for n in (1, few, few + 1):
        engine.numbers(np.resize(NEW, (n, NEW.shape[1])))
    assert (asked.fast, asked.original) == ([1, few], [few + 1])


@EACH
def test_any_size_of_batch_gives_the_same_numbers(name, kind, tmp_path):
    """Whichever engine answers."""
    model = stored(name, kind, tmp_path)
    rows = np.resize(NEW, (3 * algorithms.get(name).fast_rows, NEW.shape[1]))
    whole = model.predict(rows)
    for n in (1, 2, algorithms.get(name).fast_rows):
        part = model.predict(rows[:n])
        np.testing.assert_allclose(part.values, whole.values[:n], rtol=1e-12)
        assert (part.std is None) == (whole.std is None)
        if part.std is not None:
            np.testing.assert_allclose(part.std, whole.std[:n], rtol=1e-9, atol=1e-12)
        for a, b in zip(part.probabilities or [], whole.probabilities or [], strict=True):
            np.testing.assert_allclose(a, b[:n], rtol=1e-12, atol=1e-15)


@EACH
def test_its_proof_is_in_the_facts(name, kind):
    found = once(name, kind).describe()["fast_form"]["y"]
    assert found["used"], found
    assert found["largest_difference"] <= found["tolerance"] == TOLERANCE
    assert found["compared_rows"] == 60
    assert found["engine"]
    assert found["up_to_rows"] == algorithms.get(name).fast_rows


@EACH
def test_a_lying_form_is_not_stored_as_proved(name, kind, monkeypatch):
    """Nor used: the numbers stay the estimator's, and the facts say why."""
    cls = algorithms.get(name)
    made = cls.fast_one
    model = once(name, kind)
    monkeypatch.setattr(
        cls,
        "fast_one",
        staticmethod(
            lambda estimator, *, classifies: Lying(made(estimator, classifies=classifies))
        ),
    )
    fitted = [replace(engine.fitted) for engine in model._engines]
    liar = type(model)(algorithm=cls, task=TASKS[kind], fitted=fitted)
    told = liar.describe()["fast_form"]["y"]
    assert told["used"] is False
    assert "differs from the estimator by 1" in told["why"]
    inputs = fitted[0].inputs(NEW[:1])
    expected = model._engines[0]._original(inputs)
    assert liar._engines[0].numbers(NEW[:1]).difference(expected) == 0.0


@EACH
def test_a_form_that_another_library_made_wrong_is_not_used(
    name, kind, tmp_path, monkeypatch, caplog
):
    """It was proved when the model was stored, and is not believed when it is loaded."""
    cls = algorithms.get(name)
    made = cls.fast_one
    before = stored(name, kind, tmp_path)
    monkeypatch.setattr(
        cls,
        "fast_one",
        staticmethod(
            lambda estimator, *, classifies: Lying(made(estimator, classifies=classifies))
        ),
    )
    after = cls.load(tmp_path, TASKS[kind])
    assert after._engines[0]._form is None
    assert "not used" in caplog.text
    a, b = after.predict(NEW[:1]), before.predict(NEW[:1])
    np.testing.assert_allclose(a.values, b.values, rtol=1e-12)


def test_a_spread_that_is_missing_is_a_difference():
    numbers = Numbers(values=np.ones((2, 1)), std=np.ones(2))
    assert Numbers(values=np.ones((2, 1))).difference(numbers) == np.inf
    assert Numbers(values=np.full((2, 1), np.nan), std=np.ones(2)).difference(numbers) == np.inf


def test_a_proof_is_stored_as_it_was(tmp_path):
    proof = once("random_forest", "regression")._engines[0].proof
    proof.save(tmp_path / "fast")
    again = Proof.load(tmp_path / "fast")
    assert again.facts(3) == proof.facts(3)
    assert again.expected.difference(proof.expected) == 0.0
    np.testing.assert_array_equal(again.probes, proof.probes)


def test_deep_and_single_node_trees_walk_to_their_leaves():
    """Against scikit-learn's own walk: more than ten levels, and a tree that never splits."""
    from sklearn.tree import DecisionTreeRegressor

    from app.algorithms.flat_trees import FlatTrees, Tree

    rng = np.random.default_rng(0)
    rows = rng.random((300, 1)).astype(np.float32)
    target = 2.0 ** -np.argsort(np.argsort(rows[:, 0])).astype(float)
    deep = DecisionTreeRegressor().fit(rows, target)
    flat = DecisionTreeRegressor().fit(rows, np.ones(300))
    assert deep.get_depth() > 10
    trees = FlatTrees([Tree.of_sklearn(tree.tree_) for tree in (flat, deep)])
    found = trees.leaves(rows)
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_array_equal(found[:, 1] - 1, deep.apply(rows))
