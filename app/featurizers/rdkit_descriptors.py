"""All 2-D descriptors of RDKit: physico-chemistry, counts, connectivity, surface areas."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.float32 import to_float32

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class RdkitDescriptors(Featurizer):
    """One column per entry of `rdkit.Chem.Descriptors.descList` (217 in RDKit 2026.9).

    A value that is not finite, does not fit float32 (`Ipc` of large molecules) or whose
    computation fails becomes NaN: what to do about it is decided inside the training fold.
    """

    name = "rdkit_descriptors"
    aliases = ("DESC", "descriptors")
    summary = "All 2-D descriptors of RDKit"
    reference = "RDKit rdkit.Chem.Descriptors.descList"
    output = "floats"
    expensive = True

    def columns(self) -> list[str]:
        return [name for name, _ in self._functions]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        values = np.full(len(self._functions), np.nan)
        for column, (_, function) in enumerate(self._functions):
            try:
                values[column] = function(mol)
            except (ValueError, ZeroDivisionError, RuntimeError, OverflowError):
                continue  # stays NaN: one bad descriptor must not cost the other 216
        return to_float32(values)

    @cached_property
    def _functions(self) -> list[tuple[str, Any]]:
        from rdkit.Chem import Descriptors

        return list(Descriptors.descList)
