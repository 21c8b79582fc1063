"""Taylor-Butina clusters of molecules, in memory that grows with the number of molecules only.

Reference: Butina 1999, J. Chem. Inf. Comput. Sci. 39, 747; Taylor 1995, ibid. 35, 59.
"""

import numpy as np
from numpy.typing import NDArray

from app.chem.similarity import Fingerprints, blocks, tanimoto


def butina_clusters(molecules: Fingerprints, cutoff: float) -> list[list[int]]:
    """Places of the molecules of each cluster, its centre first, in the order they were found.

    Neighbours are at most `cutoff` (Tanimoto distance) apart. The clusters are those of RDKit's
    Butina.ClusterData: the molecule with the most neighbours takes all of them that are free; of
    equals, the later one goes first. Lists of neighbours, n * n of them at worst, are not kept:
    they are counted, and those of the centres made again. Time grows with n * n.
    """
    counts = _neighbour_counts(molecules, cutoff)
    free = np.ones(len(molecules), dtype=bool)
    clusters = []
    for centre in np.lexsort((-np.arange(len(molecules)), -counts)).tolist():
        if not free[centre]:
            continue
        free[centre] = False
        members = _neighbours(molecules, centre, cutoff) if counts[centre] else free[:0]
        taken = np.flatnonzero(free[: len(members)] & members)
        free[taken] = False
        clusters.append([centre, *taken.tolist()])
    return clusters


def _neighbour_counts(molecules: Fingerprints, cutoff: float) -> NDArray[np.int64]:
    """Without the molecule itself."""
    counts = np.full(len(molecules), -1, dtype=np.int64)
    for rows in blocks(len(molecules), len(molecules)):
        near = 1.0 - tanimoto(molecules.take(rows), molecules) <= cutoff
        counts[rows] += near.sum(axis=1)
    return counts


def _neighbours(molecules: Fingerprints, place: int, cutoff: float) -> NDArray[np.bool_]:
    one = molecules.take(np.array([place]))
    near: NDArray[np.bool_] = 1.0 - tanimoto(one, molecules)[0] <= cutoff
    return near
