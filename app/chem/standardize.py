"""One structure for one compound: RDKit's MolStandardize with ChEMBL-like steps.

Cleanup (remove explicit hydrogens, disconnect metals, normalize groups, reionize), largest organic
fragment, neutral where possible, canonical isomeric SMILES. No tautomer canonicalization: it costs
a hundred times more and merges compounds that chemists keep apart.
Reference: Bento et al. 2020, J. Cheminform. 12, 51 (the ChEMBL structure pipeline).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdkit.Chem import Mol


_CARBON = 6


class ChemistryError(ValueError):
    """Why a structure is refused, in words that a chemist acts on."""


@dataclass(frozen=True, kw_only=True)
class Standardized:
    #: canonical isomeric SMILES
    smiles: str
    #: sanitized, made from `smiles`: equal SMILES give equal atom orders, so equal features
    mol: "Mol"
    #: what was done: hydrogens, metal_disconnected, normalized, largest_fragment, neutralized
    changes: tuple[str, ...]


def standardize(smiles: str) -> Standardized:
    """Standardize a SMILES. Raises ChemistryError with the reason."""
    text = smiles.strip().lstrip("\ufeff").strip()
    if not text:
        raise ChemistryError("empty structure")
    limit = get_settings().max_smiles_length
    if len(text) > limit:
        raise ChemistryError(f"longer than {limit} characters")
    return _standardize(_parse(lambda chem: chem.MolFromSmiles(text, sanitize=False)))


def standardize_molblock(block: str) -> Standardized:
    """Standardize a V2000 or V3000 Mol block, or a Tripos mol2 block (`@<TRIPOS>MOLECULE`).

    Raises ChemistryError with the reason.
    """
    if not block.strip():
        raise ChemistryError("empty structure")
    if block.startswith("@<TRIPOS>"):
        mol = _parse(lambda chem: chem.MolFromMol2Block(block, sanitize=False, removeHs=False))
        return _standardize(_with_hydrogens(mol))
    return _standardize(
        _parse(lambda chem: chem.MolFromMolBlock(block, sanitize=False, removeHs=False))
    )


def _with_hydrogens(mol: "Mol") -> "Mol":
    """RDKit adds none to a mol2 block: without them it would make radicals of saturated carbons."""
    from rdkit import Chem

    try:
        Chem.SanitizeMol(mol)
    except ValueError as error:
        raise ChemistryError(_reason(error)) from error
    if any(
        atom.GetAtomicNum() == _CARBON and atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()
    ):
        raise ChemistryError("the mol2 block leaves hydrogens out: write it with all of them")
    return mol


def parse_standardized(smiles: str) -> "Mol":
    """The molecule of a SMILES that `standardize` gave."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise ChemistryError("RDKit cannot read the standardized structure")
    return mol


def _parse(read: "Callable[[Any], Mol | None]") -> "Mol":
    from rdkit import Chem

    quiet()
    mol = read(Chem)
    if mol is None:
        raise ChemistryError("RDKit cannot read it (syntax)")
    if mol.GetNumAtoms() == 0:
        raise ChemistryError("empty structure")
    return mol


def _standardize(mol: "Mol") -> Standardized:
    from rdkit import Chem

    try:
        Chem.SanitizeMol(mol)
        if mol.GetNumConformers() and mol.GetConformer().Is3D():
            Chem.AssignStereochemistryFrom3D(mol)
        changes: list[str] = []
        for name, step in _steps():
            before = mol
            mol = step(mol)
            if _differs(name, before, mol):
                changes.append(name)
        canonical = Chem.MolToSmiles(mol)
        final, canonical = _settled(canonical)
    except ChemistryError:
        raise
    except (ValueError, RuntimeError) as error:
        raise ChemistryError(_reason(error)) from error
    return Standardized(smiles=canonical, mol=final, changes=tuple(changes))


def _settled(smiles: str) -> "tuple[Mol, str]":
    """Read back until writing gives the same text (aromaticity may settle only then)."""
    from rdkit import Chem

    for _ in range(3):
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            raise ChemistryError("nothing is left of it after standardization")
        again = Chem.MolToSmiles(mol)
        if again == smiles:
            return mol, smiles
        smiles = again
    return mol, smiles


@lru_cache(maxsize=1)
def _steps() -> tuple[tuple[str, Any], ...]:
    """Made once per process; each takes a molecule and gives another."""
    from rdkit import Chem
    from rdkit.Chem.MolStandardize import rdMolStandardize

    disconnector = rdMolStandardize.MetalDisconnector()
    normalizer = rdMolStandardize.Normalizer()
    reionizer = rdMolStandardize.Reionizer()
    chooser = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
    uncharger = rdMolStandardize.Uncharger()
    return (
        ("hydrogens", Chem.RemoveHs),
        ("metal_disconnected", disconnector.Disconnect),
        ("normalized", normalizer.normalize),
        ("reionized", reionizer.reionize),
        ("largest_fragment", chooser.choose),
        ("neutralized", uncharger.uncharge),
    )


def _differs(step: str, before: "Mol", after: "Mol") -> bool:
    """Cheap signs of a change: atoms, bonds, charges."""
    if step == "hydrogens":
        return False
    if before.GetNumAtoms() != after.GetNumAtoms() or before.GetNumBonds() != after.GetNumBonds():
        return True
    return _charges(before) != _charges(after)


def _charges(mol: "Mol") -> list[int]:
    return [atom.GetFormalCharge() for atom in mol.GetAtoms()]


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    valence = re.search(r"Explicit valence for atom # \d+ (\w+), (\d+)", text)
    if valence:
        return f"valence of {valence[1]} is wrong (explicit valence {valence[2]})"
    if "kekulize" in text.lower():
        return "aromatic ring without a valid bond pattern (cannot be kekulized)"
    return f"RDKit refuses it: {text[:200]}"


@lru_cache(maxsize=1)
def quiet() -> None:
    """RDKit's log would repeat for every refused row what the reason already says."""
    from rdkit import rdBase

    rdBase.DisableLog("rdApp.*")
