"""MapLight: counted substructures of two kinds, pharmacophores and all descriptors."""

from app.core.requests import PluginSpec
from app.features.recipes.base import Recipe, recipes


@recipes.register
class MapLight(Recipe):
    """What a training of molecules uses when it names no features: with boosted trees it leads many
    of the TDC ADMET benchmarks, and is the best default on our shared data sets.
    """

    name = "maplight"
    aliases = ("MapLight", "default")
    summary = "Morgan counts, Avalon counts, ErG and all RDKit descriptors"
    reference = "Notwell & Wood 2023, arXiv:2310.00174"
    features = (
        PluginSpec(name="morgan_counts"),
        PluginSpec(name="avalon_counts"),
        PluginSpec(name="erg"),
        PluginSpec(name="rdkit_descriptors"),
    )
