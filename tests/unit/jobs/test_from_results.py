"""References to results: how they are written, what they stand for, what is left without them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.kinds.from_results import (
    contains_references,
    need_of,
    references_in,
    rewritten,
    value_of,
    without,
)

#: the machine may be busy with something else
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PARAMS = {
    "dataset": "esol",
    "algorithm": {"name": "ridge", "params": {"$from": "opt.result.best_params"}},
    "features": [{"name": "erg"}, {"$from": "f.result.specs[1].name"}],
}


def test_they_are_found_where_they_stand():
    first, second = references_in(PARAMS)
    assert (first.pointer, first.job, first.path) == (
        "/params/algorithm/params",
        "opt",
        ("best_params",),
    )
    assert (second.pointer, second.job, second.path) == (
        "/params/features/1",
        "f",
        ("specs", 1, "name"),
    )
    assert second.text("x") == "x.result.specs[1].name"
    assert contains_references(PARAMS)
    assert not contains_references({"a": [{"b": "$from"}]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": {"$from": 3}},
        {"a": {"$from": "train"}},
        {"a": {"$from": "train.params.x"}},
        {"a": {"$from": "train.result..x"}},
        {"a": {"$from": "train.result.x", "else": 1}},
        {"$from": "train.result"},
        {"a": [{"$from": "needs[0].result[x]"}]},
        {"a": {"$from": "x.result" + ".y" * 21}},
        {"a": [{"$from": "x.result"}] * 101},
    ],
)
def test_what_is_written_wrong_is_refused_with_how_to_write_it(wrong):
    with pytest.raises(InvalidInput) as error:
        references_in(wrong)
    assert error.value.problem()["errors"][0]["pointer"].startswith("/params")
    assert "$from" in error.value.problem()["remedy"]


def test_values_take_their_places_and_nothing_else_changes():
    filled = rewritten(PARAMS, references_in(PARAMS), lambda one: {"was": one.job})
    assert filled == {
        "dataset": "esol",
        "algorithm": {"name": "ridge", "params": {"was": "opt"}},
        "features": [{"name": "erg"}, {"was": "f"}],
    }
    left = without(PARAMS, references_in(PARAMS))
    assert left["algorithm"] == {"name": "ridge"}
    assert left["features"] == PARAMS["features"], "items are named by their number"
    assert contains_references(PARAMS), "the original is as it was"


def test_a_value_is_found_or_what_there_is_instead_is_named():
    result = {"model_ref": "esol:3", "items": [{"n": 0.5}], "none": None}

    def value(path):
        (reference,) = references_in({"x": {"$from": f"t.result{path}"}})
        return value_of(reference, result, "t")

    assert value("") == result
    assert value(".items[0].n") == 0.5
    assert value(".none") is None
    for path, hint in (
        (".model_rev", "model_ref"),
        (".items[1]", "nothing"),
        (".model_ref[0]", "nothing"),
        (".model_ref.x", "nothing"),
        ("[0]", "items"),
    ):
        with pytest.raises(InvalidInput) as error:
            value(path)
        assert error.value.errors[0]["pointer"] == "/params/x"
        assert hint in error.value.detail


def test_needs_by_number_and_by_id():
    needs = [new_id(), new_id()]
    refs = references_in(
        {"a": {"$from": "needs[1].result.x"}, "b": {"$from": f"{needs[0]}.result"}}
    )
    assert [need_of(one, needs) for one in refs] == [needs[1], needs[0]]
    for job in ("needs[2]", "train", str(new_id())):
        (one,) = references_in({"a": {"$from": f"{job}.result"}})
        with pytest.raises(InvalidInput, match="none of the 2 jobs"):
            need_of(one, needs)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.just({"$from": "a.result.b"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@PATIENT
@given(st.dictionaries(st.text(max_size=2), JSON))
def test_after_filling_in_there_is_none_left(params):
    references = references_in(params)
    assert not contains_references(rewritten(params, references, lambda _: 1))
    again = rewritten(params, references, lambda one: {"$from": one.text(one.job)})
    assert again == params
