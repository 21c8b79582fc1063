"""Marks cite requirements that exist, and the report counts them."""

import ast
from pathlib import Path

from tests.requirements import known_ids
from tests.requirements.__main__ import Marks, report, unknown

TESTS = Path(__file__).resolve().parents[2]


def cited():
    """(file, line, id) of every `mark.req(...)`, read without importing the tests."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            function = getattr(node, "func", None)
            if isinstance(function, ast.Attribute) and function.attr == "req":
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), (path, node.lineno)
                    yield path.name, node.lineno, argument.value


def test_every_cited_id_exists():
    known = {id_ for ids in known_ids().values() for id_ in ids}
    assert [place for place in cited() if place[2] not in known] == []


def test_the_list_is_whole():
    ids = known_ids()
    assert list(ids) == ["K", "S0", "S1", "S2", "S3", "S4", "U", "F", "C", "goal"]
    assert list(ids["goal"]) == [f"goal-{n}" for n in range(1, 101)]
    assert list(ids["S0"]) == [f"S0-{n:02}" for n in range(1, 30)]
    for group, entries in ids.items():
        assert all(id_.startswith(f"{group}-") and text for id_, text in entries.items())


def test_the_report_tells_covered_from_not_yet_and_finds_unknown_ids():
    marks = Marks()
    marks.tests_of["K-1"]["tests/a.py::test_a"] = None
    marks.tests_of["S9-99"]["tests/b.py::test_b"] = None
    text = report(marks, ["K"])
    assert "K: 1 of 9 covered" in text
    assert text.index("tests/a.py::test_a") < text.index("not yet:") < text.index("K-2")
    assert "S0-01" not in text
    assert unknown(marks) == {"S9-99": ["tests/b.py::test_b"]}


def test_no_two_test_files_share_a_name():
    """pytest would collect one of them only (the folders are no packages)."""
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
