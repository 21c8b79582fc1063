"""The properties that RDKit computes in C++, in a fraction of the time of all descriptors."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class RdkitProperties(Featurizer):
    """One column per property of `rdMolDescriptors.Properties` (43 in RDKit 2026.9): masses, counts
    of atoms, rings and hydrogen bonds, surface areas, Crippen log P, connectivity and shape.
    """

    name = "rdkit_properties"
    aliases = ("properties",)
    summary = "RDKit's fast properties: masses, counts, surface areas, log P, connectivity"
    reference = "RDKit rdMolDescriptors.Properties"
    output = "floats"

    def columns(self) -> list[str]:
        return list(self._properties.GetPropertyNames())

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        values = np.array(self._properties.ComputeProperties(mol), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values.astype(np.float32)

    @cached_property
    def _properties(self) -> Any:
        from rdkit.Chem import rdMolDescriptors

        return rdMolDescriptors.Properties()
