"""Which optional packages are installed: asked for every job, answered by a walk over folders."""

import importlib.util
from functools import cache
from importlib.machinery import ModuleSpec

from app.core.settings import get_settings


@cache
def find_spec(name: str) -> ModuleSpec | None:
    """As importlib's, of a package at the top; what is installed later the next process sees.

    A package that only the workers have has a spec without a loader.
    """
    if name in get_settings().worker_packages:
        return ModuleSpec(name, None)
    return importlib.util.find_spec(name)
