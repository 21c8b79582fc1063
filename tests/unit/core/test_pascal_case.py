"""Names of declared fields change, and nothing else does."""

import pytest
from pydantic import BaseModel

from app.core.errors import InvalidInput
from app.core.pascal_case import from_pascal, pascal, to_pascal


class Part(BaseModel):
    full_name: str
    free: dict[str, int] = {}


class Whole(BaseModel):
    user_id: str
    k_fold: int | None = None
    part: Part | None = None
    parts: tuple[Part, ...] | None = None
    free: dict[str, int] = {}


SNAKE = {
    "user_id": "ada",
    "k_fold": None,
    "part": {"full_name": "a", "free": {"full_name": 1}},
    "parts": [{"full_name": "b"}],
    "free": {"user_id": 2},
}
PASCAL = {
    "UserId": "ada",
    "KFold": None,
    "Part": {"FullName": "a", "Free": {"full_name": 1}},
    "Parts": [{"FullName": "b"}],
    "Free": {"user_id": 2},
}


@pytest.mark.parametrize(
    ("snake", "expected"),
    [("id", "Id"), ("correlation_id", "CorrelationId"), ("k_fold", "KFold"), ("modi", "Modi")],
)
def test_a_name(snake, expected):
    assert pascal(snake) == expected


def test_there_and_back():
    assert to_pascal(SNAKE, Whole) == PASCAL
    read, pointers = from_pascal(PASCAL, Whole)
    assert read == SNAKE
    assert pointers["/user_id"] == "/UserId"
    assert pointers["/parts/0/full_name"] == "/Parts/0/FullName"
    # whoever looks for the first that fits finds the innermost
    order = list(pointers)
    assert order.index("/parts/0/full_name") < order.index("/parts")


def test_names_are_read_in_any_case_and_by_another_name():
    read, pointers = from_pascal({"USERID": "ada", "Folds": 3}, Whole, {"folds": "k_fold"})
    assert read == {"user_id": "ada", "k_fold": 3}
    assert pointers == {"/user_id": "/USERID", "/k_fold": "/Folds"}


def test_what_no_field_is_called_stays_to_be_refused():
    assert from_pascal({"ClassName": "y"}, Whole)[0] == {"ClassName": "y"}
    assert to_pascal({"older": 1}, Whole) == {"older": 1}


def test_one_field_by_two_names_is_refused():
    with pytest.raises(InvalidInput) as caught:
        from_pascal({"UserId": "ada", "user_id": "eve"}, Whole)
    assert caught.value.detail == "UserId is given twice"
    assert caught.value.errors[0]["pointer"] == "/user_id"


def test_what_is_no_object_is_left_to_the_model():
    assert from_pascal({"Part": 3, "Parts": [4]}, Whole)[0] == {"part": 3, "parts": [4]}
