"""Named sets of featurizers: a request names one, a model's manifest its single featurizers."""

from collections.abc import Sequence
from typing import ClassVar

from app.core.errors import UnknownName
from app.core.plugin import Plugin
from app.core.registry import Registry
from app.core.requests import PluginSpec


class Recipe(Plugin):
    """One file each; it has no parameters: who wants other ones names the featurizers."""

    #: side by side, in this order
    features: ClassVar[tuple[PluginSpec, ...]]


recipes: Registry[type[Recipe]] = Registry("app.features.recipes", kind="recipe")


def expanded(specs: Sequence[PluginSpec]) -> tuple[PluginSpec, ...]:
    """Each recipe replaced by what it stands for. Raises InvalidInput when one has parameters."""
    return tuple(part for spec in specs for part in _parts(spec))


def _parts(spec: PluginSpec) -> tuple[PluginSpec, ...]:
    try:
        recipe = recipes.get(spec.name)
    except UnknownName:
        return (spec,)
    recipe.parse_params(spec.params)
    return recipe.features
