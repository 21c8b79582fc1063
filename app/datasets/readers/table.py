"""What every reader gives: columns, and rows that are read once."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple, Self

from app.core.errors import InvalidInput, PayloadTooLarge
from app.core.settings import Settings
from app.datasets.numbers import Decimal

Format = Literal["csv", "tsv", "excel", "parquet", "smiles", "sdf", "mol2", "jsonl"]

#: characters of one cell; an SDF record of a large protein fits
MAX_CELL = 4 * 1024 * 1024
#: characters of a column's name; longer ones are cut
MAX_NAME = 200
#: columns of one table
MAX_COLUMNS = 5_000
#: characters that a sample of rows may hold
_SAMPLE_CHARACTERS = 16 * 1024 * 1024


class SourceRow(NamedTuple):
    """One row of the file: 1-based number of the data row (or record), cells by column."""

    row: int
    cells: dict[str, str]
    #: why the row cannot be used at all (a wrong number of cells)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person said about the file, and the limits."""

    settings: Settings
    #: sheet of a workbook; None: the first that is not empty
    sheet: str | None = None
    #: cell separator; None: guessed
    separator: str | None = None


@dataclass(kw_only=True)
class Table:
    """An opened file: its columns, and its rows once. A context manager that closes the file.

    Notes may grow until the last row is read (a byte that is not UTF-8, a key seen late).
    """

    format: Format
    columns: list[str]
    rows: Iterator[SourceRow]
    notes: list[str] = field(default_factory=list)
    #: utf-8, utf-16-le, utf-16-be, windows-1252; None for binary formats
    encoding: str | None = None
    #: of a delimited file
    separator: str | None = None
    #: of a workbook
    sheet: str | None = None
    #: how its numbers are written
    decimal: Decimal = "."
    opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()


def unique_names(names: Iterable[str]) -> list[str]:
    """Nameless columns are called column_<n>, repeated names get a number.

    Raises InvalidInput for more columns than a table may have.
    """
    taken: set[str] = set()
    unique: list[str] = []
    repeats: dict[str, int] = {}
    for place, given in enumerate(names, start=1):
        base = given[:MAX_NAME] or f"column_{place}"
        name = base
        while name in taken:
            repeats[base] = repeats.get(base, 1) + 1
            name = f"{base}_{repeats[base]}"
        taken.add(name)
        unique.append(name)
    check_columns(len(unique))
    return unique


def check_columns(number: int) -> None:
    if number > MAX_COLUMNS:
        raise InvalidInput(
            f"the file has {number:,} columns, more than {MAX_COLUMNS:,}",
            code="too_many_columns",
            remedy="Keep the columns that you need; check the separator and the line ends if the "
            "file should have fewer.",
        )


def check_rows(number: int, settings: Settings) -> None:
    if number > settings.max_rows:
        raise PayloadTooLarge(
            f"the file has more than {settings.max_rows:,} rows",
            code="too_many_rows",
            remedy="Split the file.",
        )


def damaged(detail: str, remedy: str) -> InvalidInput:
    return InvalidInput(detail, code="damaged_file", remedy=remedy)


def sampled(rows: Iterator[SourceRow], number: int) -> tuple[list[SourceRow], Iterator[SourceRow]]:
    """The first rows (`number`, fewer when they are huge), and all rows."""
    sample: list[SourceRow] = []
    characters = 0
    for row in rows:
        sample.append(row)
        characters += sum(map(len, row.cells.values()))
        if len(sample) == number or characters > _SAMPLE_CHARACTERS:
            break
    return sample, chain(sample, rows)
