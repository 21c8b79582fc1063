"""Words as target means: against scikit-learn, and without a row's own target in it."""

import numpy as np
import orjson
import pytest
from sklearn.preprocessing import TargetEncoder

from app.featurizers.base import CrossFitted, Targets
from app.featurizers.columns import TypedColumns

COLUMN = [{"name": "w", "type": "class"}]
ENCODE = TypedColumns.from_values({"words": "target"})


def words(values):
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def targets(y, *classes, names=("y",)):
    return Targets(names=names, classes=classes, y=np.asarray(y, dtype=float).reshape(len(y), -1))


def example(n=600):
    rng = np.random.default_rng(0)
    letters = rng.choice(list("abcdefgh"), n, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.04, 0.01])
    return words(letters), rng


def sklearns(kind, values, y, new):
    """Missing cells are a word of their own there too."""
    encoder = TargetEncoder(target_type=kind, smooth="auto").fit(values[:, None], y)
    return encoder.transform(new[:, None])


def test_numbers_equal_to_scikit_learn():
    values, rng = example()
    y = rng.normal(size=600) + (values == "b")
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y))
    new = words([*"abcdefgh", "never"])
    assert fitted.columns == ["w: mean y"]
    expected = sklearns("continuous", values, y, new)
    np.testing.assert_allclose(fitted.transform({"w": new}), expected, rtol=1e-5)
    assert fitted.notes({"w": new})[-1] == ["w: no training row has 'never'"]
    assert not any(fitted.notes({"w": new})[:-1])


@pytest.mark.parametrize(
    ("kind", "classes"), [("binary", ("no", "yes")), ("multiclass", ("l", "m", "s"))]
)
def test_classes_equal_to_scikit_learn(kind, classes):
    values, rng = example()
    y = rng.integers(0, len(classes), 600)
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y, classes))
    shown = classes[1:] if kind == "binary" else classes
    assert fitted.columns == [f"w: share y = {word}" for word in shown]
    new = words([*"abcdefgh", "never"])
    np.testing.assert_allclose(
        fitted.transform({"w": new}), sklearns(kind, values, y, new), rtol=1e-5
    )


def test_missing_cells_labels_and_several_targets():
    """Rows without a label of one target still teach another."""
    values = words(["a", "a", None, None, "b", "b"])
    y = np.array([[1, 9], [3, 9], [5, 9], [7, np.nan], [np.nan, 9], [11, 8]], dtype=float)
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y, names=("y", "z")))
    assert fitted.columns == ["w: mean y", "w: mean z"]
    known = ~np.isnan(y[:, 0])
    expected = sklearns("continuous", values[known], y[known, 0], values)
    np.testing.assert_allclose(fitted.transform({"w": values})[:, :1], expected, rtol=1e-5)
    assert fitted.notes({"w": words([None])}) == [[]]
    whole = ENCODE.fit_to(COLUMN, {"w": words("abab")}, targets([1, 2, 3, 4]))
    assert whole.notes({"w": words([None])}) == [["w is missing, as in no training row"]]


def test_what_is_one_word_or_one_target_is_left_out():
    same = ENCODE.fit_to(COLUMN, {"w": words("aaaa")}, targets([1, 2, 3, 4]))
    flat = ENCODE.fit_to(COLUMN, {"w": words("abab")}, targets([5, 5, 5, 5]))
    assert same.columns == flat.columns == []
    assert flat.transform({"w": words("ab")}).shape == (2, 0)


def test_no_training_row_sees_its_own_target():
    """300 words of two rows each, and a target without any sense: an encoding of each row's own
    label would look like knowledge.
    """
    rng = np.random.default_rng(1)
    values = words(f"w{n % 300}" for n in range(600))
    y = rng.normal(size=600)
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y))
    assert isinstance(fitted, CrossFitted)
    naive = fitted.transform({"w": values})[:, 0]
    honest = fitted.training({"w": values}, targets(y))[:, 0]
    assert np.corrcoef(naive, y)[0, 1] > 0.5
    assert abs(np.corrcoef(honest, y)[0, 1]) < 0.12
    changed = y.copy()
    changed[7] += 100
    again = ENCODE.fit_to(COLUMN, {"w": values}, targets(changed))
    moved = again.training({"w": values}, targets(changed))[:, 0]
    assert moved[7] == pytest.approx(honest[7], abs=1e-6), "a row's target is not in its encoding"


def test_a_word_that_means_something_keeps_its_meaning():
    """With many rows a word, training rows are encoded nearly as new ones are."""
    values, rng = example(2_000)
    y = rng.normal(size=2_000) + 3 * (values == "b")
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y))
    new = fitted.transform({"w": values})[:, 0]
    np.testing.assert_allclose(fitted.training({"w": values}, targets(y))[:, 0], new, atol=0.5)
    assert np.corrcoef(fitted.training({"w": values}, targets(y))[:, 0], y)[0, 1] > 0.7


def test_it_survives_json_and_needs_targets():
    values, _ = example()
    y = np.arange(600.0)
    fitted = ENCODE.fit_to(COLUMN, {"w": values}, targets(y))
    again = ENCODE.load(orjson.loads(orjson.dumps(fitted.state())))
    np.testing.assert_array_equal(again.transform({"w": values}), fitted.transform({"w": values}))
    with pytest.raises(ValueError, match="needs targets"):
        ENCODE.fit(COLUMN, {"w": values})
