"""Standardization: stated steps, stable results, reasons that a chemist understands."""

import pytest
from rdkit import Chem

from app.chem.scaffold import murcko_scaffold
from app.chem.standardize import ChemistryError, standardize, standardize_molblock
from tests.support.molecules import rows_of


@pytest.mark.parametrize(
    ("given", "expected", "change"),
    [
        ("OC(=O)c1ccccc1.[Na]", "O=C(O)c1ccccc1", "largest_fragment"),
        ("[Na+].[O-]C(=O)c1ccccc1", "O=C(O)c1ccccc1", "neutralized"),
        ("C[N+](C)(C)C.[Cl-]", "C[N+](C)(C)C", "largest_fragment"),
        ("CC(=O)O[Na]", "CC(=O)O", "metal_disconnected"),
        ("CN(=O)=O", "C[N+](=O)[O-]", None),
        ("CS(C)=O", "C[S+](C)[O-]", "normalized"),
        ("[H]OC([H])([H])C", "CCO", None),
        ("  \ufeffC(C)O ", "CCO", None),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O", None),
    ],
)
def test_steps(given, expected, change):
    found = standardize(given)
    assert found.smiles == Chem.CanonSmiles(expected)
    assert (change in found.changes) if change else found.changes == ()


def test_equal_compounds_have_one_structure():
    spellings = ["c1ccccc1O", "C1=CC=CC=C1O", "Oc1ccccc1", "[O-]c1ccccc1.[K+]"]
    assert len({standardize(text).smiles for text in spellings}) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("C1CC(", "syntax"),
        ("hello", "syntax"),
        ("CN(C)(C)(C)C", "valence of N"),
        ("c1cccc1", "kekul"),
        ("C" * 6000, "longer than"),
    ],
)
def test_reasons(given, words):
    with pytest.raises(ChemistryError, match=words):
        standardize(given)


def test_standardizing_twice_changes_nothing_on_metals_and_worse():
    for row in rows_of("hiv.csv.gz")[:600]:
        try:
            once = standardize(row["smiles"])
        except ChemistryError:
            continue
        assert standardize(once.smiles).smiles == once.smiles
        assert Chem.MolToSmiles(once.mol) == once.smiles


def test_a_mol_block_is_its_smiles():
    mol = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    assert standardize_molblock(Chem.MolToMolBlock(mol)).smiles == Chem.MolToSmiles(mol)
    with pytest.raises(ChemistryError):
        standardize_molblock("not a block")
    with pytest.raises(ChemistryError, match="empty"):
        standardize_molblock("\n")


def test_scaffolds_are_rings_and_linkers():
    assert murcko_scaffold("CCc1ccc(CCC2CC2)cc1") == Chem.CanonSmiles("c1ccc(CCC2CC2)cc1")
    assert murcko_scaffold("CCCO") == ""
