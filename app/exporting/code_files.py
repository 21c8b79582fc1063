"""The project's own code that a model needs, found by its import statements: nothing is run."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
#: folders whose modules are plug-ins: found by scanning, never imported by name
_SCANNED = ("app.algorithms", "app.featurizers", "app.features.recipes")
#: what only the algorithms named here import, whole
_OF = {"app.algorithms.mlp": "app.algorithms.networks"}
#: its library is imported when a bucket is used
_UNUSED = "app.storage.s3"


def code_of(module: str) -> dict[str, Path]:
    """Every file of this project that `module` may import, plug-ins included, by its path from the
    project's root.
    """
    return {file.relative_to(_ROOT).as_posix(): file for _, file in _reached(module)}


def packages_of(module: str, plugins: frozenset[str]) -> list[str]:
    """`name==version` of the installed distributions that the code imports; of plug-ins those of
    the modules `plugins` only, so that a model of LightGBM needs no torch.
    """
    wanted = {
        imported.partition(".")[0]
        for name, file in _reached(module)
        for imported, inner in _imports(file)
        if _counts(name, file, plugins, inner=inner) and not imported.startswith("app")
    }
    known = metadata.packages_distributions()
    names = {known[name][0] for name in wanted if name in known}
    # a build's own mark (torch 2.13.0+cpu) is not in every index
    return sorted(f"{name}=={metadata.version(name).partition('+')[0]}" for name in names)


def _counts(name: str, file: Path, plugins: frozenset[str], *, inner: bool) -> bool:
    if name == _UNUSED:
        return not inner
    for plugin, package in _OF.items():
        if name.startswith(package):
            return plugin in plugins
    is_plugin = name.startswith(_SCANNED) and ".register\n" in file.read_text(encoding="utf-8")
    return not (is_plugin and inner) or name in plugins


@cache
def _reached(module: str) -> tuple[tuple[str, Path], ...]:
    found: dict[str, Path] = {}
    left = [module]
    while left:
        name = left.pop()
        file = _file(name)
        if file is None or name in found:
            continue
        found[name] = file
        left += [name.rpartition(".")[0]] * ("." in name)
        left += [imported for imported, _ in _imports(file) if imported.startswith("app")]
        if name in _SCANNED:
            left += [f"{name}.{path.stem}" for path in sorted(file.parent.glob("*.py"))]
    return tuple(sorted(found.items()))


def _file(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    package = path / "__init__.py"
    return package if package.is_file() else None


@cache
def _imports(file: Path) -> tuple[tuple[str, bool], ...]:
    """(module, whether it is inside a function); `from a import b` may mean the module a.b. What
    only type checkers import does not count.
    """
    return tuple(_walk(ast.parse(file.read_text(encoding="utf-8")), inner=False))


def _walk(node: ast.AST, *, inner: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, inner) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module, inner
            yield from ((f"{child.module}.{alias.name}", inner) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _walk(child, inner=inner or function)
