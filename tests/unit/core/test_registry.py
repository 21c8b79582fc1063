"""Plug-ins by declaration: duplicates and unknown names are told with all names."""

import subprocess
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


def test_looking_up_a_plugin_loads_none_of_the_heavy_libraries():
    """The gateway checks names; a fresh worker process must not pay seconds for torch."""
    code = (
        "import sys\n"
        "from app.algorithms.base import algorithms\n"
        "from app.featurizers.base import featurizers\n"
        "from app.metrics.base import metrics\n"
        "from app.splitters.base import splitters\n"
        "for registry in (algorithms, featurizers, metrics, splitters):\n"
        "    for plugin in registry:\n"
        "        plugin.Params.model_json_schema()\n"
        "heavy = {'torch', 'lightning', 'sklearn', 'lightgbm', 'rdkit', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
