"""Recipes: one name for several featurizers."""

import pytest

from app.core.errors import InvalidInput, UnknownName
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.features.params import DEFAULT_FEATURES
from app.features.recipes.base import expanded, recipes
from app.featurizers.base import Featurizer, featurizers
from app.kinds.references import check_features


def test_maplight_is_what_the_paper_says():
    """Notwell & Wood 2023: ECFP counts, Avalon counts, ErG and RDKit descriptors."""
    found = expanded([PluginSpec(name="MapLight")])
    names = [spec.name for spec in found]
    assert names == ["morgan_counts", "avalon_counts", "erg", "rdkit_descriptors"]
    assert found == DEFAULT_FEATURES
    assert FeatureSet([PluginSpec(name="maplight")]).key == FeatureSet(found).key


def test_a_recipe_stands_among_featurizers_in_order():
    specs = [PluginSpec(name="maccs"), PluginSpec(name="maplight"), PluginSpec(name="columns")]
    assert [spec.name for spec in expanded(specs)] == [
        "maccs", *(spec.name for spec in DEFAULT_FEATURES), "columns",
    ]  # fmt: skip


def test_every_recipe_names_what_there_is_and_nothing_twice():
    for recipe in recipes:
        assert recipe.summary
        assert recipe.reference
        names = {recipe.name, *recipe.aliases}
        assert not {name.lower() for name in names} & set(featurizers.names())
        for spec in recipe.features:
            assert issubclass(featurizers.get(spec.name), Featurizer)
            featurizers.get(spec.name).from_values(spec.params)


def test_a_wrong_request_names_its_own_field():
    with pytest.raises(InvalidInput) as refused:
        check_features(
            (PluginSpec(name="maccs"), PluginSpec(name="maplight", params={"radius": 3}))
        )
    assert refused.value.errors[0]["pointer"] == "/params/features/1/radius"
    with pytest.raises(UnknownName) as unknown:
        check_features((PluginSpec(name="maplight"), PluginSpec(name="macs")))
    assert unknown.value.errors[0]["pointer"] == "/params/features/1"
