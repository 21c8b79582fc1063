"""Feature-class Morgan fingerprint (FCFC), counts."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.morgan_generator import CircularParams, morgan_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class FcfpCounts(Featurizer):
    """As `morgan_counts` with `use_features`."""

    name = "fcfp_counts"
    aliases = ("FCFC", "FCFC4")
    summary = "Circular environments of pharmacophoric atom types, counted (FCFC)"
    reference = (
        "Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742; RDKit GetMorganGenerator with "
        "GetMorganFeatureAtomInvGen"
    )
    output = "counts"

    class Params(CircularParams):
        """Radius, columns, chirality."""

    def columns(self) -> list[str]:
        return [f"fcfp_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        return np.asarray(self._generator.GetCountFingerprintAsNumPy(mol), dtype=np.float32)

    @cached_property
    def _generator(self) -> Any:
        return morgan_generator(self.params, use_features=True)
