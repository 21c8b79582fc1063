"""Merge patches (RFC 7396, appendix A) and differences."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.json_values import difference, merge_patch

#: the machine may be busy with something else
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_rfc(target, patch, result):
    assert merge_patch(target, patch) == result


def test_changes_are_named_as_deep_as_they_can_be():
    before = {"a": {"b/c": 1, "d~": 2}, "l": [1, {"x": 1}], "m": [1], "same": 0}
    after = {"a": {"b/c": 3, "d~": 2, "new": 4}, "l": [1, {"x": 2}], "m": [1, 2], "same": 0}
    assert difference(before, after, "/params") == [
        {"pointer": "/params/a/b~1c", "before": 1, "after": 3},
        {"pointer": "/params/a/new", "before": None, "after": 4},
        {"pointer": "/params/l/1/x", "before": 1, "after": 2},
        {"pointer": "/params/m", "before": [1], "after": [1, 2]},
    ]


def test_a_truth_value_is_not_a_number():
    assert len(difference({"a": 1}, {"a": True})) == 1


@PATIENT
@given(JSON)
def test_nothing_differs_from_itself(value):
    assert difference(value, value) == []
