"""One structure for one compound: RDKit's MolStandardize with ChEMBL-like steps.

Cleanup (remove explicit hydrogens, disconnect metals, normalize groups, reionize), largest organic
fragment, neutral where possible, canonical isomeric SMILES. No tautomer canonicalization: it costs
a hundred times more and merges compounds that chemists keep apart.
Reference: Bento et al. 2020, J. Cheminform. 12, 51 (the ChEMBL structure pipeline).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from app.core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    found = _untouched(text)
    if found is not None:
        return found
    return _standardize(_parse(lambda chem: chem.MolFromSmiles(text, sanitize=False)))


def standardized_or_reason(smiles: str) -> Standardized | str:
    """As `standardize`, or why it refuses."""
    try:
        return standardize(smiles)
    except ChemistryError as error:
        return str(error)


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


def molblock_or_reason(block: str) -> Standardized | str:
    """As `standardize_molblock`, or why it refuses."""
    try:
        return standardize_molblock(block)
    except ChemistryError as error:
        return str(error)


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
        signs = _signs(mol)
        for name, may_act, act in _steps_for(mol):
            if not may_act(mol):
                continue
            mol = act(mol)
            before, signs = signs, _signs(mol)
            if signs != before and name != "hydrogens":
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


def _untouched(text: str) -> Standardized | None:
    """Of a SMILES on which no step can act, at less than half the cost; None where one might."""
    from rdkit import Chem

    rest = _NITRO_GROUP.sub("", text) if "+" in text else text
    if _SALTS_CHARGES_HYDROGENS.search(rest):
        return None
    quiet()
    mol = Chem.MolFromSmiles(text)
    if mol is None or mol.GetNumAtoms() <= 1 or mol.HasSubstructMatch(_patterns()["any step"]):
        return None
    try:
        canonical = Chem.MolToSmiles(mol)
        # what is written as it was read has settled already
        final, canonical = (mol, text) if canonical == text else _settled(canonical)
    except (ValueError, RuntimeError):
        return None
    return Standardized(smiles=canonical, mol=final, changes=())


#: in a SMILES as it is mostly written; what is left of others is found by its charges
_NITRO_GROUP = re.compile(
    r"\[N\+\]\(=O\)\[O-\]|\[N\+\]\(\[O-\]\)=O|O=\[N\+\]\(\[O-\]\)|\[O-\]\[N\+\]\(=O\)"
)
#: in a SMILES: more than one fragment, a charge, explicit hydrogens, an extension (`|...|`)
_SALTS_CHARGES_HYDROGENS = re.compile(r"[.+|]|-[12]?\]|\[H")
_COMMON = "".join(f"!#{number};" for number in (5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53))
#: what the steps of RDKit look for, or more (its MolStandardize: Metal.cpp, Charge.cpp and the
#: catalogues of normalizations and of acids and bases): where none of it is, a step does nothing
_MAY_ACT = {
    # bonds from a metal
    "metal_disconnected": f"[{_COMMON}!#1]",
    # a neutral lone atom that is to have a charge, or a charge that a proton could move to: that of
    # an N-oxide or sulfoxide takes none
    "reionized": "[D0,$([-,-2,-3,-4;!$([O-][N+]);!$([O-][S+;!$([S+]=O)])])]",
}
#: rare elements, charges but for those of a nitro group at a carbon (no step looks for such a
#: nitrogen, nor for an oxygen that has no other neighbour), bare atoms, and neutral groups that are
#: normalized: nitro, N-oxide, azide, diazo, sulfoxide
_ANY_STEP = (
    f"[$([{_COMMON}*]),X0,$([!+0;!$([N+](=O)([O-])[#6]);!$([O-][N+](=O)[#6])]),"
    "$([#7,#15,#33,#51;X3;+0]=[#8,#16,#34,#52]),$([#7]#[#7]),"
    "$([#7;X2](=*)=*),$([#16;X3]=[#8])]"
)


@lru_cache(maxsize=1)
def _patterns() -> dict[str, Any]:
    from rdkit import Chem

    smarts = _MAY_ACT | {"any step": _ANY_STEP}
    return {name: Chem.MolFromSmarts(pattern) for name, pattern in smarts.items()}


class _Step(NamedTuple):
    name: str
    #: cheaper than the step, and false only where the step does nothing
    may_act: "Callable[[Mol], bool]"
    act: "Callable[[Mol], Mol]"


def _steps_for(mol: "Mol") -> "Iterator[_Step]":
    """In order. Where nothing is charged, rare or to be normalized, chemical ones do nothing."""
    hydrogens, *chemical, fragment, neutralize = _steps()
    if mol.HasSubstructMatch(_patterns()["any step"]):
        yield from (hydrogens, *chemical, fragment, neutralize)
        return
    if mol.GetNumAtoms() > mol.GetNumHeavyAtoms():
        yield hydrogens
    yield fragment


@lru_cache(maxsize=1)
def _steps() -> tuple[_Step, ...]:
    """Made once per process."""
    from rdkit import Chem
    from rdkit.Chem.MolStandardize import rdMolStandardize

    disconnector = rdMolStandardize.MetalDisconnector()
    normalizer = rdMolStandardize.Normalizer()
    reionizer = rdMolStandardize.Reionizer()
    chooser = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
    uncharger = rdMolStandardize.Uncharger()

    def always(_: "Mol") -> bool:
        return True

    def has(name: str) -> "Callable[[Mol], bool]":
        pattern = _patterns()[name]
        return lambda mol: bool(mol.HasSubstructMatch(pattern))

    return (
        _Step("hydrogens", always, Chem.RemoveHs),  # it sanitizes again, too
        _Step("metal_disconnected", has("metal_disconnected"), disconnector.Disconnect),
        _Step("normalized", always, normalizer.normalize),
        _Step("reionized", has("reionized"), reionizer.reionize),
        _Step("largest_fragment", lambda mol: len(Chem.GetMolFrags(mol)) > 1, chooser.choose),
        _Step("neutralized", always, uncharger.uncharge),
    )


def _signs(mol: "Mol") -> tuple[int, int, list[tuple[int, int]]]:
    """Cheap signs of a change: atoms, bonds, charges."""
    return mol.GetNumAtoms(), mol.GetNumBonds(), _charges(mol)


def _charges(mol: "Mol") -> list[tuple[int, int]]:
    """Atom number and charge of the charged atoms."""
    return [(a.GetIdx(), a.GetFormalCharge()) for a in mol.GetAtomsMatchingQuery(_charged())]


@lru_cache(maxsize=1)
def _charged() -> Any:
    from rdkit.Chem import rdqueries

    return rdqueries.FormalChargeEqualsQueryAtom(0, negate=True)


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
