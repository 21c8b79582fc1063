"""Mordred's 2-D descriptors: 1,613 numbers of graph theory, charges and counts."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core.packages import find_spec
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.float32 import to_float32

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class Mordred(Featurizer):
    """Needs the extra `mordred` (the package mordredcommunity, which goes on with Mordred). About
    0.1 s a molecule. What Mordred calls missing is NaN: a quarter of a small molecule's columns.
    """

    name = "mordred"
    summary = "All 2-D descriptors of Mordred"
    reference = "Moriwaki et al. 2018, J. Cheminform. 10, 4; mordredcommunity"
    output = "floats"
    expensive = True

    @classmethod
    def unavailable(cls) -> str | None:
        return None if find_spec("mordred") else "the package mordredcommunity is not installed"

    def columns(self) -> list[str]:
        return [str(descriptor) for descriptor in self._calculator.descriptors]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        values = self._calculator(mol).fill_missing(np.nan)
        return to_float32(np.array([float(value) for value in values]))

    @cached_property
    def _calculator(self) -> Any:
        from mordred import Calculator, descriptors

        return Calculator(descriptors, ignore_3D=True)
