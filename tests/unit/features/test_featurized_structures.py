"""Structures featurized a few at a time are what RDKit makes of each, and none is held for long."""

import gc
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from app.chem.standardize import standardized_or_reason
from app.core.requests import PluginSpec
from app.features.compute import FEW, FeatureSet
from app.features.structures import featurize_structures

#: alkyl phenols, among them what is no structure
SMILES = ["C((" if n % 7 == 3 else "C" * (1 + n % 30) + "c1ccc(O)cc1" for n in range(3 * FEW + 5)]


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, len(SMILES)])
def test_rows_are_what_rdkit_makes_of_each(count):
    feature_set = FeatureSet([PluginSpec(name="morgan_counts"), PluginSpec(name="maccs")])
    smiles = SMILES[:count]
    found = featurize_structures(feature_set, map(standardized_or_reason, smiles), count, None)
    good = [Chem.MolFromSmiles(text) for text in smiles if text != "C(("]
    assert found.canonical == [
        None if text == "C((" else Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in smiles
    ]
    assert [why is None for why in found.reasons] == [text != "C((" for text in smiles]
    assert found.matrix.shape == (len(good), 2048 + 166)
    assert found.bits.shape == (len(good), 2048)
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    for row, mol in enumerate(good):
        counts = generator.GetCountFingerprintAsNumPy(mol)
        np.testing.assert_array_equal(found.matrix[row, :2048], counts)
        np.testing.assert_array_equal(found.bits[row], generator.GetFingerprintAsNumPy(mol))


def test_what_is_left_out_has_a_structure_and_a_reason():
    feature_set = FeatureSet([PluginSpec(name="morgan_bits")])
    refused = [None if n % 2 else "no temperature" for n in range(len(SMILES))]
    found = featurize_structures(
        feature_set, map(standardized_or_reason, SMILES), len(SMILES), None, refused
    )
    for text, out, reason, canonical in zip(
        SMILES, refused, found.reasons, found.canonical, strict=True
    ):
        if text == "C((":  # what is wrong with the structure is said first
            assert "no temperature" not in reason
            assert canonical is None
        else:
            assert reason == out
            assert canonical is not None
    assert len(found.matrix) == len(found.bits) == found.reasons.count(None)


@pytest.mark.parametrize("announced", [0, 2, 4, 40, 60])
@pytest.mark.parametrize("given", [3, 50])
def test_another_number_than_announced_is_refused(given, announced):
    feature_set = FeatureSet([PluginSpec(name="maccs")])
    with pytest.raises(ValueError, match=f"not {announced} structures"):
        featurize_structures(
            feature_set, map(standardized_or_reason, SMILES[:given]), announced, None
        )


def test_fewer_reasons_than_structures_are_refused():
    feature_set = FeatureSet([PluginSpec(name="maccs")])
    with pytest.raises(ValueError, match="not 3 structures"):
        featurize_structures(
            feature_set, map(standardized_or_reason, SMILES[:3]), 3, None, [None, None]
        )


def test_a_featurizer_that_refuses_gives_its_reason_in_the_right_place(monkeypatch):
    feature_set = FeatureSet([PluginSpec(name="maccs")])
    compute = feature_set.featurizers[0].featurize_one

    def some(mol):
        if mol.GetNumAtoms() > 20:
            raise ValueError("too large")
        return compute(mol)

    monkeypatch.setattr(feature_set.featurizers[0], "featurize_one", some)
    found = featurize_structures(
        feature_set, map(standardized_or_reason, SMILES), len(SMILES), None
    )
    sizes = [None if text == "C((" else Chem.MolFromSmiles(text).GetNumAtoms() for text in SMILES]
    refused = [why == "maccs: too large" for why in found.reasons]
    assert refused == [size is not None and size > 20 for size in sizes]
    kept = [text for text, why in zip(SMILES, found.reasons, strict=True) if why is None]
    expected = [compute(Chem.MolFromSmiles(text)) for text in kept]
    np.testing.assert_array_equal(found.matrix, expected)


@dataclass
class Counted:
    """As `Standardized`; tells how many there are."""

    smiles: str
    mol: Any
    alive: list[int] = field(repr=False)

    def __post_init__(self):
        self.alive[0] += 1
        self.alive[1] = max(self.alive)

    def __del__(self):
        self.alive[0] -= 1


def test_no_more_molecules_are_held_than_a_few():
    alive = [0, 0]
    made = (Counted(f"{'C' * n}O", Chem.MolFromSmiles(f"{'C' * n}O"), alive) for n in range(1, 200))
    feature_set = FeatureSet([PluginSpec(name="maccs")])
    gc.disable()  # they are freed by their last reference
    try:
        found = featurize_structures(feature_set, made, 199, None)
    finally:
        gc.enable()
    assert len(found.matrix) == 199
    assert alive[1] <= 2 * FEW + 1
    assert alive[0] == 0
