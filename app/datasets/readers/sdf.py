"""SDF, V2000 and V3000. Records are cut at `$$$$` only: one that crashes a parser crashes its
chunk, not us. CTfile formats, BIOVIA 2020, chapter on SDfiles.
"""

import re
from collections.abc import Iterable, Iterator

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.datasets.columns import STRUCTURE
from app.datasets.readers.source import Source
from app.datasets.readers.table import (
    MAX_CELL,
    MAX_NAME,
    Options,
    SourceRow,
    Table,
    check_columns,
    check_rows,
    damaged,
    sampled,
)
from app.datasets.readers.text import Lines

_NAMED_BY = 1000
_ITEM = re.compile(r">.*<(?P<name>[^<>]*)>")
_FIELD = re.compile(r">\s*(?P<name>DT\d+)")


def read(source: Source, options: Options) -> Table:
    """The columns are the data items of the first 1000 records; the structure is its own."""
    lines = Lines(source)
    records = _records(lines, options.settings)
    head, rows = sampled(records, _NAMED_BY)
    if not head:
        raise InvalidInput(
            "the SDF holds no record", code="no_rows", remedy="Each record ends with `$$$$`."
        )
    names = dict.fromkeys(name for record in head for name in record.cells if name != STRUCTURE)
    columns = [STRUCTURE, *names]
    check_columns(len(columns))
    return Table(
        format="sdf",
        columns=columns,
        rows=rows,
        notes=source.notes,
        encoding=lines.encoding,
    )


def _records(lines: Iterable[str], settings: Settings) -> Iterator[SourceRow]:
    number, size, record = 0, 0, list[str]()
    for line in lines:
        if not line.startswith("$$$$"):
            size += len(line) + 1
            if size > MAX_CELL:
                raise damaged(
                    f"SDF record {number + 1} is longer than {MAX_CELL:,} characters",
                    "Check that every record ends with `$$$$`.",
                )
            record.append(line)
            continue
        number += 1
        check_rows(number, settings)
        yield SourceRow(row=number, cells=_cells(record))
        size, record = 0, []
    if any(line.strip() for line in record):
        check_rows(number + 1, settings)
        yield SourceRow(row=number + 1, cells=_cells(record))


def _cells(lines: list[str]) -> dict[str, str]:
    end = next((n for n, line in enumerate(lines) if line.startswith("M  END")), None)
    block = "\n".join(lines[: end + 1]) + "\n" if end is not None else ""
    cells = {STRUCTURE: block}
    name: str | None = None
    for line in lines[(end + 1 if end is not None else 0) :]:
        if line.startswith(">") and (item := _ITEM.match(line) or _FIELD.match(line)):
            name = item["name"].strip()[:MAX_NAME] or None
            if name is not None:
                cells.setdefault(name, "")
        elif name is not None and line.strip():
            cells[name] = f"{cells[name]}\n{line.strip()}" if cells[name] else line.strip()
        elif name is not None:
            name = None
    return cells
