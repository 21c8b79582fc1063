"""Whether a table's first row is a header, or already data like the rows below."""

import re
from collections.abc import Sequence

from app.datasets.readers.smiles_text import reads_as_smiles, smiles_share

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_HEADER_WORDS = re.compile(
    r"(.*[_\s-])?(id|name|title|smiles|smi|mol|molecule|structure|compound|formula|inchi|key|cas|"
    r"code|class|label|target|y|x|value|date|country|city|type|group)",
    re.IGNORECASE,
)
_SHARE = 0.8
_MIN_INDEX = 3
_MIN_BELOW = 10
_YEARS = range(1900, 2101)


def first_row_is_data(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Every column that can tell says so: numbers above numbers, a SMILES above SMILES, and no
    word above numbers. Column names that are numbers (0, 1, 2, ...; years) remain a header.
    """
    if not rows:
        return _alone(first)
    votes = [_vote(cell, _column(rows, place)) for place, cell in enumerate(first)]
    if "header" in votes or "data" not in votes:
        return False
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    return not _is_index(numbers) and not _are_years(first, rows)


def _alone(first: Sequence[str]) -> bool:
    """A single row: data when it has a SMILES, and a number or nothing beside it."""
    has_smiles = any(reads_as_smiles(cell) and cell.lower() not in ("id", "y") for cell in first)
    return has_smiles and (len(first) == 1 or any(_NUMBER.fullmatch(cell) for cell in first))


def _column(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place] for row in rows if place < len(row) and row[place]]


def _vote(cell: str, below: list[str]) -> str:
    """data, header, or "" when this column cannot tell."""
    if _HEADER_WORDS.fullmatch(cell):
        return "header"
    if not below or not cell:
        return ""
    if sum(_NUMBER.fullmatch(value) is not None for value in below) >= _SHARE * len(below):
        return "data" if _NUMBER.fullmatch(cell) else "header"
    if smiles_share(below) >= _SHARE and len(set(below)) > len(below) / 2:
        return "data" if reads_as_smiles(cell) else "header"
    # a word that no row repeats, above words that repeat
    repeating = len(below) >= _MIN_BELOW and len(set(below)) <= len(below) / 2
    return "header" if repeating and cell not in below else ""


def _is_index(numbers: Sequence[str]) -> bool:
    """0, 1, 2, ... or 1, 2, 3, ...: names that programs give to nameless columns."""
    if len(numbers) < _MIN_INDEX:
        return False
    return any(list(numbers) == [str(n + start) for n in range(len(numbers))] for start in (0, 1))


def _are_years(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    years = [p for p, cell in enumerate(first) if cell.isdecimal() and _year(cell)]
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    return (
        bool(years)
        and len(years) == len(numbers)
        and not all(_year(value) for place in years for value in _column(rows, place))
    )


def _year(text: str) -> bool:
    return text.isdecimal() and len(text) == len("2000") and int(text) in _YEARS
