"""How alike test and training molecules are: an easy split flatters the model.

Reference: Sheridan et al. 2004, J. Chem. Inf. Comput. Sci. 44, 1912: the error of a prediction
falls with the similarity to the nearest training molecule.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.splitters.base import Indices
from app.training.leaks.findings import Sides

#: a near copy: most pairs above it differ by a stereocentre, a chain's length or a halogen
NEAR = 0.9
#: easy: more near copies than that share of the test molecules, ...
MAX_NEAR = 0.1
#: ... or half of them at least this similar to their nearest training molecule; random splits of
#: the shared benchmark sets have medians of 0.52 to 0.57, scaffold splits of 0.41 to 0.47
MAX_MEDIAN = 0.7

#: similarities that a training spends on it: 5 CPU seconds
_MAX_PAIRS = 50_000_000
_SEED = 0


def split_similarity(smiles: Sequence[str], sides: Sides) -> dict[str, Any]:
    """Tanimoto (Morgan, radius 2, 2048 bits) of each test molecule to the nearest that is learned
    from on its side: median, p05, p95, share_above_0_9, whether the split is easy, and of how many
    test rows (`n`; a `sample` drawn by a seed when the pairs are more than 50 million).
    """
    from app.chem.similarity import Fingerprints, nearest

    asked = [(learned, _drawn(tested, len(learned) * len(sides))) for learned, tested in sides]
    rows = np.unique(np.concatenate([part for pair in asked for part in pair]))
    prints = Fingerprints.of([smiles[row] for row in rows])
    best = np.concatenate(
        [
            nearest(*(prints.take(np.searchsorted(rows, part)) for part in (tested, learned)))[0]
            for learned, tested in asked
        ]
    )
    sample = len(best) < sum(len(tested) for _, tested in sides)
    near, median = float(np.mean(best > NEAR)), float(np.median(best))
    return {
        "median": median,
        "p05": float(np.quantile(best, 0.05)),
        "p95": float(np.quantile(best, 0.95)),
        "share_above_0_9": near,
        "easy": near > MAX_NEAR or median >= MAX_MEDIAN,
        "n": len(best),
        "sample": sample,
    }


def _drawn(tested: Indices, pairs: int) -> Indices:
    """`pairs`: similarities that each test row costs, times the number of sides."""
    most = max(1, _MAX_PAIRS // pairs)
    if len(tested) <= most:
        return tested
    drawn = np.random.default_rng(_SEED).choice(len(tested), most, replace=False)
    return tested[np.sort(drawn)]


def easy_words(similarity: dict[str, Any]) -> str:
    """What the warning says."""
    near, median = similarity["share_above_0_9"], similarity["median"]
    return (
        f"{near:.0%} of the test molecules are near copies (Tanimoto above {NEAR}) of molecules "
        f"that are learned from, the median similarity is {median:.2f}: the test metrics say "
        "little about new chemistry. The scaffold and butina splits ask more."
    )
