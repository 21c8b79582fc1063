"""Environments behind fingerprint columns, against RDKit's folded fingerprints."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from app.chem.environments import column_environments, draw_environment
from tests.support.molecules import standardized_esol

SIZE = 64


@pytest.fixture(scope="module")
def smiles():
    return [entry.smiles for entry in standardized_esol(60)]


@pytest.fixture(scope="module")
def generator():
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=SIZE)


@pytest.fixture(scope="module")
def found(smiles, generator):
    return column_environments(smiles, generator, SIZE, range(SIZE))


@pytest.mark.req("S0-10")
def test_molecules_with_a_column_are_those_of_the_folded_fingerprint(smiles, generator, found):
    bits = [generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles]
    assert [found[c].molecules for c in range(SIZE)] == np.sum(bits, axis=0).tolist()


def test_every_unfolded_environment_is_on_one_column(smiles, generator, found):
    numbers = set()
    for text in smiles:
        numbers |= set(generator.GetSparseFingerprint(Chem.MolFromSmiles(text)).GetOnBits())
    assert sum(len(entry.places) for entry in found.values()) == len(numbers)
    assert max(len(entry.places) for entry in found.values()) > 1, "64 columns are shared"


def test_the_place_has_the_column(generator, found):
    """The bit goes off when the environment's middle atom is no longer asked for."""
    for column, entry in found.items():
        for text, atom, radius in entry.places[:2]:
            output = rdFingerprintGenerator.AdditionalOutput()
            output.AllocateBitInfoMap()
            generator.GetFingerprint(Chem.MolFromSmiles(text), additionalOutput=output)
            assert (atom, radius) in output.GetBitInfoMap()[column]


def test_a_column_that_no_molecule_has():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    nothing = column_environments(["CC"], generator, 2048, [5])[5]
    assert (nothing.molecules, nothing.places) == (0, [])


def test_a_drawing_is_one_element():
    svg = draw_environment(("CCO", 2, 1))
    assert svg.startswith("<svg")
    assert "<rect" not in svg
    assert "<?xml" not in svg
