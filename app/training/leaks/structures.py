"""The same compound on both sides of a split: exactly, as a stereoisomer, as a tautomer.

Salts and charges are no question here: ingest keeps the neutral parent, so a salt is the same
structure. Reference of the tautomer key: RDKit MolHash, HetAtomTautomerv2 (without stereo).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from app.chem.standardize import parse_standardized
from app.splitters.base import Indices
from app.training.leaks.findings import Finding, Severity, how_many

_Key = Callable[[str], str]


def shared_structures(smiles: Sequence[str], learned: Indices, tested: Indices) -> list[Finding]:
    """`smiles`: standardized, of all rows. Each test row is in the first finding that it fits."""
    findings = []
    left = tested.tolist()
    for leak, severity, what, remedy, key in _LEVELS:
        known = {key(smiles[row]): row for row in reversed(learned.tolist())}
        found = [row for row in left if key(smiles[row]) in known]
        left = [row for row in left if key(smiles[row]) not in known]
        if found:
            first = found[0]
            partner = smiles[known[key(smiles[first])]]
            detail = f"{how_many(len(found), what, what.replace(' is', 's are', 1))}"
            findings.append(
                Finding(
                    leak=leak,
                    severity=severity,
                    detail=f"{detail}, e.g. {smiles[first]} (learned: {partner})",
                    remedy=remedy,
                    rows=found,
                )
            )
    return findings


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
