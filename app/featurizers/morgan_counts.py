"""Morgan (circular, ECFC-like) fingerprint, how often each hashed environment occurs."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.morgan_generator import MorganParams, morgan_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class MorganCounts(Featurizer):
    """Counts tell five methyl groups from one; with boosting usually better than bits."""

    name = "morgan_counts"
    aliases = ("ecfc", "ECFC4")
    summary = "Circular environments up to a radius, counted (ECFC)"
    reference = "Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742; RDKit GetMorganGenerator"
    output = "counts"

    class Params(MorganParams):
        """Radius, columns, chirality, features."""

    def columns(self) -> list[str]:
        return [f"morgan_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        return np.asarray(self._generator.GetCountFingerprintAsNumPy(mol), dtype=np.float32)

    @cached_property
    def _generator(self) -> Any:
        return morgan_generator(self.params, use_features=self.params.use_features)
