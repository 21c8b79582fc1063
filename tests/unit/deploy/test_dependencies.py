"""Every dependency is explained, bounded from below, and locked for any machine."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    Requirement(line)
    for line in [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]
]
LOCK = {
    requirement.name: requirement
    for requirement in map(
        Requirement,
        (
            line
            for line in (ROOT / "requirements.lock").read_text().splitlines()
            if not line.startswith("#")
        ),
    )
}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_explained_bounded_and_locked(requirement):
    rows = (ROOT / "docs/dependencies.md").read_text().splitlines()
    names = {
        name
        for row in rows
        if row.startswith("| ")
        for name in re.split(r", ", row[2:].split(" |")[0])
    }
    assert requirement.name in names
    assert {specifier.operator for specifier in requirement.specifier} & {">=", "=="}
    pinned = next(iter(LOCK[requirement.name.lower()].specifier)).version
    assert pinned in requirement.specifier


def test_the_lock_names_no_place_and_no_build_of_one_machine():
    for requirement in LOCK.values():
        assert requirement.url is None
        assert [specifier.operator for specifier in requirement.specifier] == ["=="]
        assert "+" not in str(requirement.specifier)
    assert str(LOCK["torch"].specifier) == "==2.13.0"
    assert list(LOCK) == sorted(LOCK)


def test_what_an_editable_install_needs_is_locked():
    """`make` installs the project with --no-deps; hatchling's exact mode imports editables."""
    assert "editables" in LOCK
    assert "async-timeout" in LOCK
