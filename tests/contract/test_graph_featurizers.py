"""Every featurizer of graphs: a new file is tested at once. And the tokens of SMILES."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdmolops

from app.core.errors import InvalidInput
from app.core.requests import PluginSpec
from app.features.graphs import packed, unpacked
from app.featurizers.base import GraphFeaturizer, featurizers
from app.featurizers.smiles_tokens import END, START, UNKNOWN, VOCABULARY, tokens_of
from app.kinds.references import check_features
from tests.support.molecules import standardized_esol

ALL = pytest.mark.parametrize(
    "name", [cls.name for cls in featurizers if issubclass(cls, GraphFeaturizer)]
)


@pytest.fixture(scope="module")
def mols():
    return [found.mol for found in standardized_esol(60)] + [Chem.MolFromSmiles("[Na+].[Cl-]")]


@ALL
@pytest.mark.req("S0-10")
def test_a_graph_has_the_atoms_and_bonds_of_the_molecule(name, mols):
    featurizer = featurizers.get(name)()
    for mol in mols:
        graph = featurizer.featurize_one(mol)
        assert graph.atoms.shape == (mol.GetNumAtoms(), len(featurizer.atom_columns()))
        assert graph.bonds.shape == (2 * mol.GetNumBonds(), len(featurizer.bond_columns()))
        assert (graph.atoms.dtype, graph.bonds.dtype) == (np.float32, np.float32)
        adjacency = np.zeros((mol.GetNumAtoms(), mol.GetNumAtoms()))
        np.add.at(adjacency, tuple(graph.edges), 1)
        np.testing.assert_array_equal(adjacency, rdmolops.GetAdjacencyMatrix(mol))


@ALL
def test_graphs_survive_storage_and_equal_ones_give_equal_bytes(name, mols):
    featurizer = featurizers.get(name)()
    graphs = [*map(featurizer.featurize_one, mols), featurizer.no_graph()]
    data = packed(featurizer, graphs)
    assert data == packed(featurizer, [*map(featurizer.featurize_one, mols), featurizer.no_graph()])
    for found, given in zip(unpacked(data), graphs, strict=True):
        for part in ("atoms", "bonds", "edges"):
            np.testing.assert_array_equal(getattr(found, part), getattr(given, part))
    assert unpacked(packed(featurizer, [])) == []


@ALL
def test_columns_are_named_once(name):
    featurizer = featurizers.get(name)()
    for columns in (featurizer.atom_columns(), featurizer.bond_columns()):
        assert len(set(columns)) == len(columns)
    assert featurizer.summary
    assert featurizer.reference


def named(columns, numbers):
    return {name for name, number in zip(columns, numbers, strict=True) if number}


def test_alanine_by_hand():
    """[NH3+][C@@H](C)C(=O)[O-]: what a chemist reads off the drawing."""
    graph = featurizers.get("molecular_graph")()
    found = graph.featurize_one(Chem.MolFromSmiles("[NH3+][C@@H](C)C(=O)[O-]"))
    atoms = [named(graph.atom_columns(), row) for row in found.atoms]
    assert atoms[0] == {
        "element = 7", "degree = 4", "charge = 1", "chirality = CHI_UNSPECIFIED", "hydrogens = 3",
        "hybridization = SP3", "mass / 100 u",
    }  # fmt: skip
    assert {"element = 6", "degree = 4", "hydrogens = 1", "chirality = CHI_TETRAHEDRAL_CW"} < atoms[
        1
    ]
    assert {"element = 8", "charge = -1", "hydrogens = 0"} < atoms[5]
    assert found.atoms[0, -1] == pytest.approx(0.14007, abs=1e-5)
    assert found.edges.T.tolist() == [
        [0, 1], [1, 0], [1, 2], [2, 1], [1, 3], [3, 1], [3, 4], [4, 3], [3, 5], [5, 3],
    ]  # fmt: skip
    bonds = [named(graph.bond_columns(), row) for row in found.bonds]
    assert bonds[6] == bonds[7] == {"type = DOUBLE", "conjugated", "stereo = STEREONONE"}
    assert bonds[0] == {"type = SINGLE", "stereo = STEREONONE"}


def test_what_is_unknown_is_other():
    graph = featurizers.get("molecular_graph")()
    found = graph.featurize_one(Chem.MolFromSmiles("[Pt+4]"))
    assert {"element: other", "charge: other"} < named(graph.atom_columns(), found.atoms[0])


# ---- tokens


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CC(=O)Oc1ccccc1Br", "C C ( = O ) O c 1 c c c c c 1 Br"),
        ("C[C@@H](N)C(=O)[O-]", "C [C@@H] ( N ) C ( = O ) [O-]"),
        ("F/C=C/Cl", "F / C = C / Cl"),
        ("C%10CC%10", "C %10 C C %10"),
    ],
)
def test_tokens_are_those_of_the_published_expression(smiles, expected):
    assert tokens_of(smiles) == expected.split()


def test_tokens_are_the_smiles_again_and_known(mols):
    featurizer = featurizers.get("smiles_tokens")()
    for mol in mols:
        numbers = featurizer.featurize_one(mol)
        length = int((numbers != 0).sum())
        assert (numbers[0], numbers[length - 1]) == (START, END)
        assert not numbers[length:].any()
        words = "".join(VOCABULARY[number] for number in numbers[1 : length - 1])
        assert words == Chem.MolToSmiles(mol)


def test_the_vocabulary_is_fixed():
    """A stored model knows tokens by number: additions go to the end, and raise the version."""
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 279
    assert VOCABULARY[:7] == ("<padding>", "<unknown>", "<start>", "<end>", "B", "Br", "C")
    assert VOCABULARY[4 + 16 + 17 + 10 + 20] == "[H]", "after atoms, signs, digits, closures"


def test_unknown_atoms_are_told_and_long_molecules_refused():
    tokens = featurizers.get("smiles_tokens").from_values({"max_length": 8})
    mols = [Chem.MolFromSmiles(s) for s in ("[U]", "CCCCCC", "CCCCCCC")]
    found = tokens.featurize(mols)
    assert found.matrix[0].tolist() == [START, UNKNOWN, END, 0, 0, 0, 0, 0]
    assert found.matrix[1].tolist() == [START, *[6] * 6, END]
    assert found.errors == {2: "smiles_tokens: 9 tokens are more than max_length 8"}
    with pytest.raises(ValueError, match="cut into tokens"):
        tokens_of("CC{")


# ---- what is no matrix


@pytest.mark.parametrize("name", ["smiles_tokens", "molecular_graph"])
def test_algorithms_refuse_at_submit_what_is_no_matrix(name):
    features = (PluginSpec(name="maccs"), PluginSpec(name=name))
    with pytest.raises(InvalidInput, match="algorithms learn from numbers in columns") as refused:
        check_features(features)
    problem = refused.value.problem()
    assert problem["code"] == "features_do_not_fit"
    assert problem["errors"][0]["pointer"] == "/params/features/1"
    assert "featurize job" in problem["remedy"]
    check_features(features, to_learn=False)
