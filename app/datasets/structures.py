"""Whether a column holds molecules: by what RDKit reads of its cells, and by its name."""

import re
from collections.abc import Sequence

from app.core.settings import get_settings
from app.datasets.numbers import is_number

_SAMPLE = 50
_MIN_DISTINCT_SHARE = 0.5
_SHORTEST = 3
_NAME = re.compile(r"smiles|^(mol|molecule|structure|canonical|mol_?block)$", re.IGNORECASE)


def sounds_like_structure(name: str) -> bool:
    return _NAME.search(name.strip()) is not None


def structure_rate(name: str, values: Sequence[str]) -> float:
    """`parse_rate`, but 0 for what reads as molecules and is words.

    `No`, `CO` and `c` read as molecules too: a column that is not named like structures must
    not repeat a few values, nor hold mostly shorter ones than `CCO`.
    """
    rate = parse_rate(values)
    if rate == 0.0:
        return 0.0
    sample = values[:_SAMPLE]
    distinct = set(sample)
    varied = len(distinct) >= _MIN_DISTINCT_SHARE * len(sample)
    long = sum(len(value) >= _SHORTEST for value in distinct) >= len(distinct) / 2
    return rate if sounds_like_structure(name) or (varied and long) else 0.0


def parse_rate(values: Sequence[str]) -> float:
    """Share of the first cells that read as molecules; plain numbers do not count."""
    from rdkit import Chem

    from app.chem.standardize import quiet

    quiet()
    sample = values[:_SAMPLE]
    # of millions of characters RDKit's parser takes minutes
    limit = get_settings().max_smiles_length
    read = [
        len(value) <= limit
        and not is_number(value)
        and Chem.MolFromSmiles(value, sanitize=False) is not None
        for value in sample
    ]
    return sum(read) / len(read) if read else 0.0
