"""The same compound on both sides of a split: exactly, as a stereoisomer, as a tautomer.

Salts and charges are no question here: ingest keeps the neutral parent, so a salt is the same
structure. Reference of the tautomer key: RDKit MolHash, HetAtomTautomerv2 (without stereo).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.chem.standardize import parse_standardized
from app.splitters.base import Indices
from app.training.leaks.findings import Finding, Severity, Sides, how_many

_Key = Callable[[str], str]


def shared_structures(smiles: Sequence[str], sides: Sides) -> list[Finding]:
    """`smiles`: standardized, of all rows. Each test row is in the first finding that it fits, in
    whichever fold.
    """
    findings = []
    left = [tested for _, tested in sides]
    for leak, severity, what, remedy, key in _LEVELS:
        codes = _codes(smiles, key, sides)
        shared = [
            tested[np.isin(codes[tested], codes[learned])]
            for (learned, _), tested in zip(sides, left, strict=True)
        ]
        found = np.unique(np.concatenate(shared))
        if not len(found):
            continue
        left = [np.setdiff1d(tested, found) for tested in left]
        first = int(found[0])
        learned = next(s[0] for s, rows in zip(sides, shared, strict=True) if first in rows)
        partner = smiles[int(learned[np.argmax(codes[learned] == codes[first])])]
        detail = f"{how_many(len(found), what, what.replace(' is', 's are', 1))}"
        findings.append(
            Finding(
                leak=leak,
                severity=severity,
                detail=f"{detail}, e.g. {smiles[first]} (learned: {partner})",
                remedy=remedy,
                rows=found.tolist(),
            )
        )
    return findings


def _codes(smiles: Sequence[str], key: _Key, sides: Sides) -> NDArray[np.int64]:
    """(all rows,): equal where the keys are; -1 for rows on no side."""
    codes = np.full(len(smiles), -1, dtype=np.int64)
    known: dict[str, int] = {}
    for row in np.unique(np.concatenate([rows for pair in sides for rows in pair])):
        codes[row] = known.setdefault(key(smiles[row]), len(known))
    return codes


def unmerged_replicates(smiles: Sequence[str], rows: Indices) -> list[Finding]:
    """Rows of a structure that an earlier row has."""
    again = repeats(smiles, rows)
    if not again:
        return []
    counts = Counter(smiles[row] for row in rows)
    structures = sum(count > 1 for count in counts.values())
    return [
        Finding(
            leak="replicates_not_merged",
            severity="warning",
            detail=f"{how_many(structures, 'structure')} in more than one row; "
            f"{how_many(len(again), 'row repeats', 'rows repeat')} another",
            remedy='Ingest with "duplicates": "merge", or split by group or scaffold, which keep '
            "equal structures on one side.",
            rows=again,
        )
    ]


def repeats(keys: Sequence[str], rows: Indices) -> list[int]:
    """Rows whose key an earlier one of `rows` has."""
    seen: set[str] = set()
    found = []
    for row in rows.tolist():
        if keys[row] in seen:
            found.append(row)
        seen.add(keys[row])
    return found


def _same(smiles: str) -> str:
    return smiles


@lru_cache(maxsize=100_000)
def stereo_parent(smiles: str) -> str:
    """Canonical SMILES without stereo."""
    from rdkit import Chem

    if not any(mark in smiles for mark in "@/\\"):
        return smiles
    return Chem.MolToSmiles(parse_standardized(smiles), isomericSmiles=False)


@lru_cache(maxsize=100_000)
def tautomer_parent(smiles: str) -> str:
    """One text for all tautomers and stereoisomers of a molecule."""
    from rdkit import Chem
    from rdkit.Chem import rdMolHash

    mol = parse_standardized(smiles)
    Chem.RemoveStereochemistry(mol)
    hashed: Any = rdMolHash.MolHash(mol, rdMolHash.HashFunction.HetAtomTautomerv2)
    return str(hashed)


_LEVELS: tuple[tuple[str, Severity, str, str, _Key], ...] = (
    (
        "same_structure",
        "error",
        "test row is a molecule that is learned from too",
        'Ingest with "duplicates": "merge", or use the scaffold or butina split.',
        _same,
    ),
    (
        "same_stereo_parent",
        "warning",
        "test row is a stereoisomer of a molecule that is learned from",
        "Use the scaffold or butina split if stereoisomers are not what you want to tell apart.",
        stereo_parent,
    ),
    (
        "same_tautomer_parent",
        "warning",
        "test row is a tautomer of a molecule that is learned from",
        "Write one tautomer of each compound, or use the scaffold or butina split.",
        tautomer_parent,
    ),
)
