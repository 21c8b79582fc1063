"""Numbers that a chemist reads: size, lipophilicity, polarity, flexibility, drug-likeness."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol

#: column -> entry of `rdkit.Chem.Descriptors.descList`
_DESCRIPTORS = {
    "molecular_weight_g_per_mol": "MolWt",
    "crippen_log_p": "MolLogP",
    "crippen_molar_refractivity_cm3_per_mol": "MolMR",
    "topological_polar_surface_area_A2": "TPSA",
    "h_bond_donors": "NumHDonors",
    "h_bond_acceptors": "NumHAcceptors",
    "rotatable_bonds": "NumRotatableBonds",
    "aromatic_rings": "NumAromaticRings",
    "fraction_sp3_carbons": "FractionCSP3",
    "heavy_atoms": "HeavyAtomCount",
    "qed": "qed",
}


@featurizers.register
class Physchem(Featurizer):
    """A small interpretable set, with units in the names; what has none is a count or a ratio."""

    name = "physchem"
    aliases = ("physicochemical", "physchem-8")
    summary = "Twelve physico-chemical numbers: weight, log P, polar surface, hydrogen bonds, QED"
    reference = (
        "Lipinski et al. 1997, Adv. Drug Deliv. Rev. 23, 3; Wildman & Crippen 1999, "
        "J. Chem. Inf. Comput. Sci. 39, 868; Ertl et al. 2000, J. Med. Chem. 43, 3714; "
        "Bickerton et al. 2012, Nat. Chem. 4, 90"
    )
    output = "floats"
    expensive = True

    def columns(self) -> list[str]:
        return [*_DESCRIPTORS, "formal_charge_e"]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        from rdkit import Chem

        values = [function(mol) for function in self._functions]
        return np.array([*values, Chem.GetFormalCharge(mol)], dtype=np.float32)

    @cached_property
    def _functions(self) -> list[Any]:
        from rdkit.Chem import Descriptors

        named = dict(Descriptors.descList)
        return [named[name] for name in _DESCRIPTORS.values()]
