"""Mistyped names and fields are answered with the nearest."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from app.core.names import listed, near, nearest_first, shown
from app.core.requests import RequestModel
from app.core.validation import field_errors, suggestions

ALGORITHMS = ["hist_gradient_boosting", "lightgbm", "logistic_regression", "mlp", "random_forest"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lightgbn", "lightgbm"),
        ("LightGBM", "lightgbm"),
        ("randomforest", "random_forest"),
        ("random-forest", "random_forest"),
        ("forest", "random_forest"),
        ("logistc_regresion", "logistic_regression"),
        ("lgihtgbm", "lightgbm"),
    ],
)
def test_the_nearest_comes_first(typed, meant):
    assert nearest_first(typed, ALGORITHMS)[0] == meant
    assert sorted(nearest_first(typed, ALGORITHMS)) == ALGORITHMS


def test_what_is_near_nothing_lists_all_in_order():
    assert near("qqqq", ALGORITHMS) == []
    assert near("", ALGORITHMS) == []
    assert nearest_first("qqqq", reversed(ALGORITHMS)) == ALGORITHMS
    assert listed("qqqq", map(str, range(30)), most=2) == "0, 1 and 28 more"


def test_a_long_name_is_not_repeated_whole():
    assert len(shown("x" * 10_000)) < 100
    assert near("x" * 100_000, ALGORITHMS) == []


class Inner(RequestModel):
    smiles: str
    size: int = 1


class One(RequestModel):
    kind: Literal["one"]
    inputs: tuple[str | Inner, ...] = ()
    named: dict[str, Inner] = Field(default_factory=dict)
    mode: Literal["merge", "keep_all"] = "merge"
    wide: Inner | None = None


class Two(RequestModel):
    kind: Literal["two"]
    number: int


FORM = Annotated[One | Two, Field(discriminator="kind")]


def wrong(value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(FORM).validate_python(value)
    return caught.value.errors()


@pytest.mark.parametrize(
    ("value", "pointer", "words", "remedy"),
    [
        ({"kind": "two"}, "/number", "missing", None),
        ({"kind": "tow"}, "/", "'tow' is none of: two, one", "Write 'two' instead of 'tow'."),
        ({"kind": "one", "mod": 1}, "/mod", "mode", "Write 'mode' instead of 'mod'."),
        ({"kind": "one", "mode": "merg"}, "/mode", "merge, keep_all", "Write 'merge'"),
        ({"kind": "one", "inputs": [{"smile": "C"}]}, "/inputs/0/smile", "smiles", "'smiles'"),
        ({"kind": "one", "named": {"a/b": {"sise": 1}}}, "/named/a~1b/sise", "size", "'size'"),
        ({"kind": "one", "wide": {"smiles": "C", "siez": 1}}, "/wide/siez", "size", "'size'"),
    ],
)
def test_a_wrong_field_is_named_as_the_client_sent_it(value, pointer, words, remedy):
    items = wrong(value)
    found = {entry["pointer"]: entry["detail"] for entry in field_errors(items, FORM)}
    assert words in found[pointer], found
    if remedy:
        assert any(remedy in said for said in suggestions(items, FORM))


def test_a_million_wrong_fields_are_not_answered_one_by_one():
    items = wrong({"kind": "two", "number": 1} | {f"x{n}": n for n in range(5000)})
    assert len(field_errors(items, FORM)) == 50
