"""By what two molecules are called similar: Morgan bits, radius 2, 2048 bits (ECFP4)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.core.requests import PluginSpec
from app.core.work import WorkContext
from app.features.compute import FeatureSet, featurize_smiles
from app.features.matrix import dataset_matrix
from app.resources import Resources

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_SPEC = PluginSpec(name="morgan_bits", params={"radius": 2, "fp_size": 2048})


def dataset_fingerprints(
    resources: Resources, context: WorkContext, dataset_id: UUID, smiles: Sequence[str]
) -> NDArray[np.uint8]:
    """(rows, 2048) of a stored data set."""
    return dataset_matrix(resources, context, dataset_id, smiles, FeatureSet([_SPEC])).matrix


def fingerprints(smiles: Sequence[str], mols: "Sequence[Mol]") -> NDArray[np.uint8]:
    """(n, 2048) of standardized SMILES and their molecules."""
    return featurize_smiles(FeatureSet([_SPEC]), smiles, None, mols).matrix
