"""Tripos mol2, one or many molecules, cut at `@<TRIPOS>MOLECULE`; RDKit reads them in chunks."""

from collections.abc import Iterable, Iterator

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.datasets.columns import STRUCTURE
from app.datasets.readers.source import Source
from app.datasets.readers.table import MAX_CELL, Options, SourceRow, Table, check_rows, damaged
from app.datasets.readers.text import Lines

_BEGIN = "@<TRIPOS>MOLECULE"
_NAME = "name"


def read(source: Source, options: Options) -> Table:
    """Columns: the structure, and the molecule's name."""
    lines = Lines(source)
    records = _records(lines, options.settings)
    first = next(records, None)
    if first is None:
        raise InvalidInput(
            "the mol2 file holds no molecule",
            code="no_rows",
            remedy=f"Each molecule begins with `{_BEGIN}`.",
        )

    def rows() -> Iterator[SourceRow]:
        yield first
        yield from records

    return Table(
        format="mol2",
        columns=[STRUCTURE, _NAME],
        rows=rows(),
        notes=source.notes,
        encoding=lines.encoding,
    )


def _records(lines: Iterable[str], settings: Settings) -> Iterator[SourceRow]:
    number, size, record = 0, 0, list[str]()
    for line in lines:
        if line.startswith(_BEGIN):
            if record:
                number += 1
                check_rows(number, settings)
                yield _row(number, record)
            size, record = 0, [line]
        elif record:
            size += len(line) + 1
            if size > MAX_CELL:
                raise damaged(
                    f"mol2 molecule {number + 1} is longer than {MAX_CELL:,} characters",
                    f"Check that every molecule begins with `{_BEGIN}`.",
                )
            record.append(line)
    if record:
        check_rows(number + 1, settings)
        yield _row(number + 1, record)


def _row(number: int, record: list[str]) -> SourceRow:
    name = record[1].strip() if len(record) > 1 else ""
    cells = {STRUCTURE: "\n".join(record) + "\n", _NAME: "" if name == "****" else name}
    return SourceRow(row=number, cells=cells)
