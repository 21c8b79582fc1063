"""Plug-ins by declaration: a package's modules are imported at the first lookup, never listed.

A plug-in module decorates its class with `@registry.register`; adding a plug-in is adding a file.
Folders named in the setting RETORT_PLUGIN_PATHS are scanned too, so that a site can add plug-ins
without touching this code (files of `<folder>/<package leaf>/`, e.g. `plugins/algorithms/my.py`).
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import RLock
from typing import Generic, Protocol, TypeVar

from app.core.errors import UnknownName
from app.core.names import nearest_first, shown
from app.core.settings import get_settings


class Named(Protocol):
    name: str


PluginT = TypeVar("PluginT", bound=type)


class Registry(Generic[PluginT]):
    """All plug-in classes of one package, by name and alias.

    Raises `ValueError` at the scan when two modules claim one name (both are named), and
    `UnknownName` at a lookup that fails (the nearest names come first).
    """

    def __init__(self, package: str, *, kind: str) -> None:
        self.package = package
        self.kind = kind
        self._classes: dict[str, PluginT] = {}
        self._aliases: dict[str, str] = {}
        self._scanned = False
        self._lock = RLock()

    def register(self, cls: PluginT) -> PluginT:
        """Class decorator: file the class under its `name` and its `aliases`."""
        name: str = cls.name  # type: ignore[attr-defined]
        known = self._classes.get(name)
        if known is not None and known.__module__ != cls.__module__:
            raise ValueError(
                f"two {self.kind}s are called {name!r}: {known.__module__} and {cls.__module__}"
            )
        self._classes[name] = cls
        for alias in getattr(cls, "aliases", ()):
            owner = self._aliases.setdefault(alias.lower(), name)
            if owner != name:
                raise ValueError(f"two {self.kind}s share the alias {alias!r}: {owner} and {name}")
        return cls

    def get(self, name: str) -> PluginT:
        """The class called `name` (or an alias of it, in any case)."""
        self._scan()
        cls = self._classes.get(name) or self._classes.get(self._aliases.get(name.lower(), ""))
        if cls is None:
            raise UnknownName(
                f"there is no {self.kind} called {shown(name)}",
                remedy=f"Use one of: {', '.join(nearest_first(name, self._classes))}.",
            )
        return cls

    def names(self) -> list[str]:
        self._scan()
        return sorted(self._classes)

    def __iter__(self) -> Iterator[PluginT]:
        self._scan()
        return iter([self._classes[name] for name in sorted(self._classes)])

    def _scan(self) -> None:
        with self._lock:
            if self._scanned:
                return
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            for folder in get_settings().plugin_paths:
                self._scan_folder(folder / self.package.rsplit(".", 1)[-1])
            self._scanned = True

    def _scan_folder(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.py")):
            name = f"{self.package}._site_{path.stem}"
            if name in sys.modules:
                continue
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ImportError(f"cannot load the plug-in {path}")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
