"""The one way to name a model."""

import pytest

from app.core.errors import InvalidInput
from app.models.reference import parse_model_ref


@pytest.mark.parametrize(
    ("text", "name", "number", "alias"),
    [
        ("esol", "esol", None, None),
        ("esol:3", "esol", 3, None),
        ("esol:999999999", "esol", 999_999_999, None),
        ("esol@champion", "esol", None, "champion"),
        ("a.b_c-d:1", "a.b_c-d", 1, None),
    ],
)
@pytest.mark.req("C-22")
def test_what_names_a_model(text, name, number, alias):
    found = parse_model_ref(text)
    assert (found.name, found.number, found.alias) == (name, number, alias)


@pytest.mark.parametrize(
    "text", ["", "Esol", "esol:0", "esol:-1", "esol:1234567890", "esol:", "esol@", "a b", "a:b@c"]
)
def test_what_names_none(text):
    with pytest.raises(InvalidInput) as refused:
        parse_model_ref(text)
    assert refused.value.problem()["code"] == "invalid_reference"
