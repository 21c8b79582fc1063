"""Whether text is a SMILES, as far as a guess about a file needs it."""

import re
from collections.abc import Sequence

_SHAPE = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:/\\.%*~>]{1,500}")
_SAMPLE = 50
_MIN_SHARE = 0.8
_TAB_COLUMNS = 2
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
#: elements and groups that are words or headers first (`No`, `CO`): of these alone nothing follows
_WORDS = frozenset({"no", "on", "in", "os", "i", "c", "n", "o", "p", "s", "b", "f", "co", "cn"})


def reads_as_smiles(text: str) -> bool:
    """Syntax only: no valences, no aromaticity. Numbers and very long texts do not."""
    if not _SHAPE.fullmatch(text) or _NUMBER.fullmatch(text):
        return False
    from rdkit import Chem

    from app.chem.standardize import quiet

    quiet()
    mol = Chem.MolFromSmiles(text, sanitize=False)
    return mol is not None and mol.GetNumAtoms() > 0


def smiles_share(values: Sequence[str]) -> float:
    """Of the first values."""
    sample = values[:_SAMPLE]
    return sum(map(reads_as_smiles, sample)) / len(sample) if sample else 0.0


def is_smiles_text(lines: Sequence[str], *, named: bool) -> bool:
    """Lines `SMILES<blank>name`; `named`: the file's name says that they are. Tables do not count:
    a header, more than two columns separated by tabs, or other separators.
    """
    used = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    rows = used[1:] if len(used) > 1 else used  # the first may be a header
    rows = rows[: 2 * _SAMPLE]
    if not rows or any(len(row.split("\t")) > _TAB_COLUMNS for row in rows):
        return False
    firsts = [row.split(None, 1)[0] for row in rows]
    if smiles_share(firsts) < _MIN_SHARE or (firsts[0].lower() in _WORDS and not named):
        return False
    with_name = sum(len(row.split(None, 1)) > 1 for row in rows)
    if named:
        return True
    separated = sum("\t" in row for row in rows)
    if separated and all(_NUMBER.fullmatch(row.split()[-1]) for row in rows):
        return False  # a table of a structure and a value
    return with_name >= _MIN_SHARE * len(rows) and (separated == 0 or _no_header(used[0]))


def _no_header(line: str) -> bool:
    return reads_as_smiles(line.split(None, 1)[0])
