"""Standardized structures featurized, no more molecules held at a time than caches hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.features.compute import FEW, FeatureSet, MoleculeCache, featurize_smiles
from app.features.fingerprints import WIDTH, fingerprints_beside


@dataclass(frozen=True, kw_only=True)
class FeaturizedStructures:
    """n structures, of which m have features."""

    #: (n,) standardized SMILES; None where there is no structure
    canonical: list[str | None]
    #: (n,) why there are no features; None where there are
    reasons: list[str | None]
    #: (m, width) in the feature set's type
    matrix: NDArray[Any]
    #: (m, 2048) fingerprints
    bits: NDArray[np.uint8]


def featurize_structures(
    feature_set: FeatureSet,
    structures: Iterable[Any],
    count: int,
    cache: MoleculeCache | None,
    refused: Iterable[str | None] = repeat(None),
) -> FeaturizedStructures:
    """`structures`: `count` of `Standardized`, or the reason (str) why there is none; best made
    while they are asked for. `refused`: of each why it is left out though it has a structure.
    Raises ValueError where there are not `count` of them.
    """
    pairs = zip(structures, refused, strict=False)  # there may be no end of reasons
    asked = islice(pairs, count)
    canonical: list[str | None] = []
    reasons: list[str | None] = []
    matrix = np.empty((count, feature_set.width), dtype=feature_set.dtype)
    bits = np.empty((count, WIDTH), dtype=np.uint8)
    filled = 0
    while few := list(islice(asked, FEW)):
        part = _together(feature_set, few, cache)
        canonical += part.canonical
        reasons += part.reasons
        rows = slice(filled, filled + len(part.matrix))
        matrix[rows], bits[rows] = part.matrix, part.bits
        filled = rows.stop
    if len(reasons) != count or next(pairs, None) is not None:
        raise ValueError(f"there are not {count} structures")
    return FeaturizedStructures(
        canonical=canonical, reasons=reasons, matrix=matrix[:filled], bits=bits[:filled]
    )


def _together(
    feature_set: FeatureSet, pairs: Sequence[tuple[Any, str | None]], cache: MoleculeCache | None
) -> FeaturizedStructures:
    reasons = [one if isinstance(one, str) else refused for one, refused in pairs]
    good = [place for place, reason in enumerate(reasons) if reason is None]
    smiles, mols = [pairs[at][0].smiles for at in good], [pairs[at][0].mol for at in good]
    features = featurize_smiles(feature_set, smiles, cache, mols)
    matrix = features.matrix
    bits = fingerprints_beside(feature_set, matrix, smiles, mols)
    if features.errors:
        for place, why in features.errors.items():
            reasons[good[place]] = why
        kept = [place for place in range(len(good)) if place not in features.errors]
        matrix, bits = matrix[kept], bits[kept]
    canonical = [None if isinstance(one, str) else one.smiles for one, _ in pairs]
    return FeaturizedStructures(canonical=canonical, reasons=reasons, matrix=matrix, bits=bits)
