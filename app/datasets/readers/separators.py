"""The separator of a delimited file, from how evenly it divides the first rows."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from app.datasets.readers.decimals import is_decimal_comma
from app.datasets.readers.table import MAX_CELL

#: on a tie the first one wins: commas also stand inside numbers and names
SEPARATORS = ("\t", ";", "|", ",")
_SAMPLE = 100
_MIN_SHARE = 0.5


def guess_separator(lines: Sequence[str]) -> str | None:
    """The one that cuts most rows, and the first row too, into equally many cells (at least two).

    Quoted cells are respected. None: no separator does.
    """
    found = [(score, s) for s in SEPARATORS if (score := _score(lines, s)) is not None]
    if not found:
        return None
    best = max(score for score, _ in found)
    equal = [s for score, s in found if score[:2] == best[:2]]
    if ";" in equal and "," in equal and _halves_numbers(lines):
        return ";"
    return next(s for score, s in found if score == best)


def rows_of(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Cells without blanks around them. Raises csv.Error."""
    csv.field_size_limit(MAX_CELL)
    for cells in csv.reader(lines, delimiter=separator, skipinitialspace=True):
        yield [cell.strip() for cell in cells]


def _score(lines: Sequence[str], separator: str) -> tuple[float, float, int, int] | None:
    rows = _sample(lines, separator)
    if not rows:
        return None
    widths = Counter(len(row) for row in rows)
    width, times = widths.most_common(1)[0]
    first = len(rows[0])
    if width == 1 or times < _MIN_SHARE * len(rows):
        # many ragged rows: what cuts the header is better than nothing
        return (0.0, 0.0, first, 0) if first > 1 else None
    # rows may have a nameless first column, or an empty last one
    agrees = 1.0 if abs(first - width) <= (1 if width > 2 else 0) else 0.0  # noqa: PLR2004
    return agrees, times / len(rows), width, -SEPARATORS.index(separator)


def _sample(lines: Sequence[str], separator: str) -> list[list[str]]:
    rows = []
    try:
        for row in rows_of((line + "\n" for line in lines), separator):
            if any(row):
                rows.append(row)
            if len(rows) == _SAMPLE:
                break
    except csv.Error:
        return rows
    return rows


def _halves_numbers(lines: Sequence[str]) -> bool:
    """Cells between semicolons are numbers with a decimal comma."""
    cells = [cell for row in _sample(lines, ";")[1:] for cell in row]
    return any(is_decimal_comma(cell) for cell in cells)
