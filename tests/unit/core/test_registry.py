"""Plug-ins by declaration: duplicates and unknown names are told with all names."""

import sys

import pytest

from app.core.errors import UnknownName
from app.core.registry import Registry

ONE = """from {package} import things
@things.register
class A:
    name = "{name}"
    aliases = ("{alias}",)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose modules register themselves."""

    def make(*modules):
        name = f"made_{tmp_path.name.replace('-', '_')}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text(
            f"from app.core.registry import Registry\nthings = Registry({name!r}, kind='thing')\n"
        )
        for file, thing, alias in modules:
            (folder / file).write_text(ONE.format(package=name, name=thing, alias=alias))
        monkeypatch.syspath_prepend(str(tmp_path))
        module = __import__(name)
        registry: Registry = module.things
        return registry

    yield make
    for name in [name for name in sys.modules if name.startswith("made_")]:
        del sys.modules[name]


def test_modules_are_found_at_the_first_lookup(package):
    things = package(("b.py", "beta", "B"), ("a.py", "alpha", "A"))
    assert things.names() == ["alpha", "beta"]
    assert things.get("b").name == "beta", "aliases in any case"


def test_a_duplicate_names_both_modules(package):
    things = package(("a.py", "same", "x"), ("b.py", "same", "y"))
    with pytest.raises(ValueError, match=r"\.a and .*\.b"):
        things.names()


def test_an_unknown_name_lists_the_nearest_first(package):
    things = package(("a.py", "alpha", "x"), ("b.py", "omega", "y"))
    with pytest.raises(UnknownName) as unknown:
        things.get("omgea")
    assert unknown.value.problem()["remedy"] == "Use one of: omega, alpha."
