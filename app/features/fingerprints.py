"""By what two molecules are called similar: Morgan bits, radius 2, 2048 bits (ECFP4)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.core.requests import PluginSpec
from app.features.compute import FeatureSet, featurize_smiles

if TYPE_CHECKING:
    from rdkit.Chem import Mol

WIDTH = 2048
_SPEC = PluginSpec(name="morgan_bits", params={"radius": 2, "fp_size": WIDTH})
#: features that hold these bits: a count is of the very environments that set the bit
_HOLDING = ("morgan_bits", "morgan_counts")


def fingerprints_key() -> str:
    """Another one where fingerprints are computed differently."""
    return fingerprint_set().key


def fingerprints(smiles: Sequence[str], mols: "Sequence[Mol]") -> NDArray[np.uint8]:
    """(n, 2048) of standardized SMILES and their molecules."""
    return featurize_smiles(fingerprint_set(), smiles, None, mols).matrix


def fingerprints_beside(
    feature_set: FeatureSet, matrix: NDArray[Any], smiles: Sequence[str], mols: "Sequence[Mol]"
) -> NDArray[np.uint8]:
    """As `fingerprints`, out of the molecules' features (n, width) where these hold them."""
    place = _place(feature_set)
    if place is None:
        return fingerprints(smiles, mols)
    held = matrix[:, place]
    return held if held.dtype == np.uint8 else (held > 0).astype(np.uint8)


@lru_cache(maxsize=64)
def _place(feature_set: FeatureSet) -> slice | None:
    """The columns that hold them."""
    column = 0
    wanted = fingerprint_set().featurizers[0].params.model_dump()
    for featurizer in feature_set.featurizers:
        if featurizer.name in _HOLDING and featurizer.params.model_dump() == wanted:
            return slice(column, column + featurizer.width)
        column += featurizer.width
    return None


@lru_cache(maxsize=1)
def fingerprint_set() -> FeatureSet:
    return FeatureSet([_SPEC])
