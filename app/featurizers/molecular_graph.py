"""Molecules as graphs of atoms and bonds, described as chemprop describes them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from app.featurizers.base import Graph, GraphFeaturizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol

#: the elements of the first four rows, and iodine
_ELEMENTS = (*range(1, 37), 53)
_DEGREES = range(6)
_CHARGES = (-1, -2, 1, 2, 0)
_CHIRAL_TAGS = (
    "CHI_UNSPECIFIED",
    "CHI_TETRAHEDRAL_CW",
    "CHI_TETRAHEDRAL_CCW",
    "CHI_OTHER",
)
_HYDROGENS = range(5)
_HYBRIDIZATIONS = ("S", "SP", "SP2", "SP2D", "SP3", "SP3D", "SP3D2")
_BOND_TYPES = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
_STEREO = ("STEREONONE", "STEREOANY", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS")
#: u, so that masses are of the size of the other numbers
_MASS_UNIT = 100.0


@featurizers.register
class MolecularGraph(GraphFeaturizer):
    """72 numbers of an atom (element, degree, charge, chirality, hydrogens, hybridization, each as
    one of several, else "other"; aromatic; mass) and 13 of a bond (type, conjugated, in a ring,
    stereo), in the order of chemprop's v2 without its bit for "no bond". Hydrogens are implicit.
    """

    name = "molecular_graph"
    aliases = ("graph",)
    summary = "Atoms, bonds and which atoms they join, for message passing networks"
    reference = "Yang et al. 2019, J. Chem. Inf. Model. 59, 3370; chemprop 2 MultiHotAtomFeaturizer"

    def atom_columns(self) -> list[str]:
        return [
            *_names("element", _ELEMENTS),
            *_names("degree", _DEGREES),
            *_names("charge", _CHARGES),
            *_names("chirality", _CHIRAL_TAGS),
            *_names("hydrogens", _HYDROGENS),
            *_names("hybridization", _HYBRIDIZATIONS),
            "aromatic",
            "mass / 100 u",
        ]

    def bond_columns(self) -> list[str]:
        types = (f"type = {word}" for word in _BOND_TYPES)
        return [*types, "conjugated", "in a ring", *_names("stereo", _STEREO)]

    def featurize_one(self, mol: "Mol") -> Graph:
        atoms = [_atom(atom) for atom in mol.GetAtoms()]
        bonds, edges = [], []
        for bond in mol.GetBonds():
            begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            bonds += [_bond(bond)] * 2
            edges += [(begin, end), (end, begin)]
        if not bonds:
            nothing = self.no_graph()
            return Graph(atoms=_floats(atoms), bonds=nothing.bonds, edges=nothing.edges)
        return Graph(
            atoms=_floats(atoms),
            bonds=_floats(bonds),
            edges=np.ascontiguousarray(np.array(edges, dtype=np.int32).T),
        )


def _atom(atom: Any) -> list[float]:
    return [
        *_one_hot(atom.GetAtomicNum(), _ELEMENTS),
        *_one_hot(atom.GetTotalDegree(), _DEGREES),
        *_one_hot(atom.GetFormalCharge(), _CHARGES),
        *_one_hot(atom.GetChiralTag().name, _CHIRAL_TAGS),
        *_one_hot(atom.GetTotalNumHs(), _HYDROGENS),
        *_one_hot(atom.GetHybridization().name, _HYBRIDIZATIONS),
        float(atom.GetIsAromatic()),
        atom.GetMass() / _MASS_UNIT,
    ]


def _bond(bond: Any) -> list[float]:
    kind = bond.GetBondType().name
    return [
        *(float(kind == word) for word in _BOND_TYPES),
        float(bond.GetIsConjugated()),
        float(bond.IsInRing()),
        *_one_hot(bond.GetStereo().name, _STEREO),
    ]


def _one_hot(value: Any, known: Any) -> list[float]:
    """One place for each known value, and a last one for all others."""
    found = [float(value == one) for one in known]
    return [*found, float(not any(found))]


def _names(what: str, known: Any) -> list[str]:
    return [*(f"{what} = {value}" for value in known), f"{what}: other"]


def _floats(rows: list[list[float]]) -> Any:
    return np.array(rows, dtype=np.float32)
