"""The catalogue of problem codes is whole: what the code uses is declared, and the reverse."""

import ast
import importlib
import pickle
import pkgutil
from pathlib import Path

import pytest

import api
import app
import workers
from app.core.errors import InvalidInput, RetortError
from app.core.problems import CATALOGUE, FIELD_CODES, GROUPS, WARNING_CODES, problem_type

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [
    path
    for folder in ("app", "api", "workers", "tasks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "app/core/problems" not in path.as_posix()
]
#: calls whose `code=` is of a field, not of a problem
FIELD_CALLS = {"FieldError"}
#: calls whose keyword `code` has nothing to do with problems
OTHER_CALLS = {"Response", "HTTPException"}


def constant(node):
    """The texts that an expression may have: a constant, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return constant(node.body) + constant(node.orelse)
    return []


def calls():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                name = getattr(function, "id", None) or getattr(function, "attr", "")
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name, node


def used_codes():
    """(place, code) of every problem code in the code."""
    found = []
    for place, name, node in calls():
        for keyword in node.keywords:
            if keyword.arg == "code" and name not in FIELD_CALLS | OTHER_CALLS:
                found += [(place, code) for code in constant(keyword.value)]
        if name in ("problem_type", "_answer"):
            found += [(place, code) for argument in node.args for code in constant(argument)[:1]]
    return [(place, code) for place, code in found if " " not in code]


def error_classes():
    for package in (app, api, workers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found, left = set(), [RetortError]
    while left:
        cls = left.pop()
        found.add(cls)
        left += cls.__subclasses__()
    return {cls for cls in found if cls.__module__.split(".")[0] in ("app", "api", "workers")}


#: assigned to a name before it is used
NAMED = {"hung", *("malformed_body", "unknown_route", "method_not_allowed", "bad_request")}


@pytest.mark.req("goal-5")
def test_every_code_that_is_used_is_declared():
    undeclared = [(place, code) for place, code in used_codes() if code not in CATALOGUE]
    assert undeclared == [], "declare them in app/core/problems/"
    undeclared = [cls.__qualname__ for cls in error_classes() if cls.code not in CATALOGUE]
    assert undeclared == [], "declare their codes in app/core/problems/"


def test_every_code_that_is_declared_is_used():
    used = {code for _, code in used_codes()} | {cls.code for cls in error_classes()} | NAMED
    assert sorted(set(CATALOGUE) - used) == []


def test_no_class_says_again_what_the_catalogue_says():
    """A title or remedy beside the code would never be shown."""
    twice = [
        (cls.__qualname__, name)
        for cls in error_classes()
        for name in ("title", "remedy", "retryable")
        if name in vars(cls)
    ]
    assert twice == []


def test_codes_of_fields_and_of_warnings_are_declared():
    for place, name, node in calls():
        if name == "FieldError":
            for keyword in node.keywords:
                if keyword.arg == "code":
                    for code in constant(keyword.value):
                        assert code in FIELD_CODES or code in CATALOGUE, place
        if name == "warn" and node.args:
            for code in constant(node.args[0]):
                assert code in WARNING_CODES, place


def test_each_declaration_says_enough_and_once():
    assert len(CATALOGUE) == sum(len(entries) for entries in GROUPS.values()), "a code twice"
    for entry in CATALOGUE.values():
        assert entry.code == entry.code.lower()
        assert entry.cause.endswith("."), entry.code
        assert entry.remedy.endswith("."), entry.code
        assert len(entry.cause) > 20, entry.code
        assert not entry.title.endswith("."), entry.code


def test_an_error_takes_title_and_remedy_from_its_code():
    problem = InvalidInput("one class", code="one_class").problem()
    assert problem["title"] == CATALOGUE["one_class"].title
    assert problem["remedy"] == CATALOGUE["one_class"].remedy
    assert problem["type"] == "/problems/one_class"
    assert InvalidInput("x", code="one_class", remedy="Do y.").problem()["remedy"] == "Do y."
    again = pickle.loads(pickle.dumps(InvalidInput("x", code="one_class")))  # noqa: S301
    assert again.problem()["code"] == "one_class"


def test_an_undeclared_code_is_still_an_answer():
    assert InvalidInput("x", code="nobody_declared_it").problem()["code"] == "invalid_input"
    assert problem_type("nobody_declared_it").code == "internal_error"


def test_the_document_is_what_the_catalogue_says():
    from api.problem_pages import DOCUMENT, document

    assert DOCUMENT.read_text() == document(), "run: python -m api.problem_pages"
