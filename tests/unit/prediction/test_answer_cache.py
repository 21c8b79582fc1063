"""Keys of cached answers, and answers put together from bytes."""

import subprocess
import sys
from uuid import UUID

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.predicting.request import Asked
from app.prediction.answer_cache import (
    answer_key,
    input_key,
    join,
    keys_of_model,
    shown_input,
    split,
    structure_key,
)

MODEL = UUID("019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00")
OTHER = UUID("019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d01")

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)
_FEATURES = st.dictionaries(_TEXT, _SCALARS, max_size=6)


def test_a_key_is_the_same_in_every_process():
    # made once by hand: printf '%s' '{"smiles":"CCO"}' | sha256sum
    assert input_key({"smiles": "CCO"}) == "a7d334ebee616d78fe2716e5951ce727"


def test_the_id_does_not_count_and_null_is_absent():
    key = input_key({"smiles": "CCO"})
    assert input_key({"smiles": "CCO", "id": "ethanol", "features": None}) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"smiles": "CCO"}, {"smiles": "OCC"}),
        ({"smiles": "CCO"}, {"smiles": "CCO "}),
        ({"smiles": "é"}, {"smiles": "e\u0301"}),
        ({"smiles": "CCO"}, {"features": {"smiles": "CCO"}}),
        ({"smiles": "CCO"}, {"smiles": "CCO", "features": {}}),
        ({"features": {"a": 1}}, {"features": {"a": True}}),
        ({"features": {"a": 0}}, {"features": {"a": False}}),
        ({"features": {"a": 1}}, {"features": {"a": "1"}}),
        ({"features": {"a": None}}, {"features": {"a": ""}}),
        ({"features": {"a": None}}, {"features": {}}),
        ({"features": {"a": 1}}, {"features": {"A": 1}}),
        ({"features": {"a": 0.1}}, {"features": {"a": 0.10000000000000002}}),
        ({"features": {"a": 2**53}}, {"features": {"a": 2**53 + 1}}),
        ({"features": {"a": [1, 2]}}, {"features": {"a": [2, 1]}}),
    ],
)
def test_other_inputs_have_other_keys(one, other):
    assert input_key(one) != input_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0}, {"a": -0.0}),
        ({"a": 2**60}, {"a": float(2**60)}),
        ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2.0}]}),
    ],
)
def test_the_same_input_has_the_same_key(one, other):
    assert input_key({"features": one}) == input_key({"features": other})


@given(_FEATURES, st.randoms())
def test_the_order_of_features_does_not_matter(features, random):
    shuffled = list(features.items())
    random.shuffle(shuffled)
    assert input_key({"features": features}) == input_key({"features": dict(shuffled)})


@given(st.lists(_FEATURES, min_size=2, max_size=2))
def test_keys_are_equal_just_when_inputs_are(features):
    one, other = features
    same = _typed(one) == _typed(other)
    assert (input_key({"features": one}) == input_key({"features": other})) is same


def _typed(features):
    """Python says True == 1; we do not."""
    return {name: (isinstance(value, bool), value) for name, value in features.items()}


def test_what_is_no_json_has_no_key():
    for value in (float("inf"), float("nan"), "\ud800", 2**64):
        with pytest.raises((TypeError, ValueError)):
            input_key({"features": {"a": value}})


def test_keys_carry_the_model():
    key = input_key({"smiles": "CCO"})
    assert answer_key(MODEL, key) != answer_key(OTHER, key)
    assert structure_key(MODEL, "CCO") != structure_key(OTHER, "CCO")
    assert answer_key(str(MODEL), key) == answer_key(MODEL, key)


def test_keys_of_a_model_begin_alike():
    start = keys_of_model(MODEL).removesuffix("*")
    assert answer_key(MODEL, input_key({"smiles": "CCO"})).startswith(start)
    assert structure_key(MODEL, "CCO").startswith(start)
    assert not structure_key(OTHER, "CCO").startswith(start)


def test_a_structure_has_a_key_of_its_own():
    keys = {
        answer_key(MODEL, input_key({"smiles": "CCO"})),
        structure_key(MODEL, "CCO"),
        structure_key(MODEL, "CCO", {}),
        structure_key(MODEL, "CCO", {"dose": 1}),
        structure_key(MODEL, "CCC", {"dose": 1}),
    }
    assert len(keys) == 5
    assert structure_key(MODEL, "CCO", {"dose": 1.0}) in keys


def test_a_format_has_keys_of_its_own(monkeypatch):
    key = input_key({"smiles": "CCO"})
    before = {answer_key(MODEL, key), structure_key(MODEL, "CCO")}
    monkeypatch.setattr("app.prediction.answer_cache._FORMAT", 2)
    assert before.isdisjoint({answer_key(MODEL, key), structure_key(MODEL, "CCO")})


@given(
    st.none() | _TEXT, _TEXT | _FEATURES, st.dictionaries(_TEXT, _JSON, max_size=6), st.booleans()
)
def test_an_answer_put_together_is_the_answer(id_, asked, rest, cached):
    rest = {name: value for name, value in rest.items() if name not in ("id", "input", "cached")}
    item = {"id": id_, "input": asked, **rest}
    theirs = split({**item, "id": "somebody", "input": "else"})
    assert join(id_, asked, theirs, cached=cached) == orjson.dumps(item | {"cached": cached})


def test_numbers_of_numpy_and_those_that_are_none():
    item = {"id": None, "input": "C", "value": np.float64(1.5), "std": float("nan")}
    answer = orjson.loads(join("a", "C", split(item), cached=True))
    assert answer == {"id": "a", "input": "C", "value": 1.5, "std": None, "cached": True}


def test_the_input_shown_is_what_was_given():
    assert shown_input({"smiles": "CCO", "features": {"dose": 1}}) == "CCO"
    assert shown_input({"features": {"dose": 1}}) == {"dose": 1}
    assert shown_input({"smiles": "", "features": None}) == "", "as it was sent"


def test_the_gateway_may_import_it():
    code = (
        "import sys, app.prediction.answer_cache;"
        "sys.exit(bool({'rdkit', 'numpy', 'sklearn', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("given", "structure"),
    [
        ({"smiles": "CCO", "features": {"dose": 1}}, "CCO"),
        ({"smiles": "", "features": None}, ""),
        ({"features": {"b": 1, "a": 2}}, "[('a', 2), ('b', 1)]"),
    ],
)
def test_an_endpoint_sticks_to_what_the_first_input_says(given, structure):
    asked = Asked(caller=None, ref="endpoint:e", inputs=[given], seconds=1.0, request_id="r")
    assert asked.structure == structure
