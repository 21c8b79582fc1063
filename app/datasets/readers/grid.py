"""Rows of cells become a table: header or none, empty last columns, ragged rows."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.datasets.readers.header import first_row_is_data
from app.datasets.readers.table import MAX_CELL, SourceRow, check_columns, check_rows, unique_names

_SAMPLE = 200
_SAMPLE_CHARACTERS = 8 * 1024 * 1024


class Record(NamedTuple):
    """Cells of one row, without blanks around them."""

    cells: list[str]
    #: where it stands in the file, when it spans several lines
    lines: tuple[int, int] | None = None
    reason: str | None = None


def read_grid(
    records: Iterator[Record],
    settings: Settings,
    notes: list[str],
    *,
    comment: Sequence[str] = (),
    pad: bool = False,
) -> tuple[list[str], Iterator[SourceRow]]:
    """Columns and rows. `comment`: cells of a `#` line right above, which may be the header.

    `pad`: rows may leave out their last cells (workbooks). Raises InvalidInput for no row at all
    and for too many columns.
    """
    filled = (record for record in records if any(record.cells))
    head = _take(filled)
    if not head:
        raise InvalidInput(
            "the file holds no cell with content",
            code="empty_file",
            remedy="Upload a file with a header and rows.",
        )
    check_columns(len(head[0].cells))
    header, head = _header(head, notes, comment)
    width = _width(header, head)
    if not pad and head and all(len(r.cells) == width + 1 and r.cells[-1] for r in head):
        header, width = ["", *header], width + 1
        notes.append("the header names one column fewer than the rows have: the first is nameless")
    columns = unique_names(header[:width])
    return columns, _rows(chain(head, filled), columns, settings, pad=pad)


def _take(records: Iterator[Record]) -> list[Record]:
    head: list[Record] = []
    characters = 0
    for record in records:
        head.append(record)
        characters += sum(map(len, record.cells))
        if len(head) > _SAMPLE or characters > _SAMPLE_CHARACTERS:
            break
    return head


def _header(
    head: list[Record], notes: list[str], comment: Sequence[str]
) -> tuple[list[str], list[Record]]:
    first, rows = head[0].cells, [record.cells for record in head[1:]]
    if not first_row_is_data(first, rows):
        return first, head[1:]
    if len(comment) == len(first) and any(comment):
        notes.append("the header is the line that begins with #")
        return list(comment), head
    notes.append("the file has no header line: its columns are named column_1, column_2, ...")
    width = max(len(record.cells) for record in head)
    return [""] * min(width, len(first)), head


def _width(header: Sequence[str], head: Sequence[Record]) -> int:
    """Without the columns at the right that have neither name nor content."""
    width = len(header)
    while width > 1 and not header[width - 1] and not any(_cell(r, width - 1) for r in head):
        width -= 1
    return width


def _cell(record: Record, place: int) -> str:
    return record.cells[place] if place < len(record.cells) else ""


def _rows(
    records: Iterator[Record], columns: list[str], settings: Settings, *, pad: bool
) -> Iterator[SourceRow]:
    width = len(columns)
    for number, record in enumerate(records, start=1):
        check_rows(number, settings)
        cells, _, reason = record
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            if reason is None and not (pad and len(cells) < width):
                reason = _ragged(record, width)
            cells = (cells + [""] * (width - len(cells)))[:width]
        if reason is None and max(map(len, cells)) > MAX_CELL:
            reason = f"a cell is longer than {MAX_CELL:,} characters"
            cells = [cell[:100] for cell in cells]
        yield SourceRow(number, dict(zip(columns, cells, strict=True)), reason)


def _ragged(record: Record, width: int) -> str:
    why = f"{len(record.cells)} cells where the header names {width} columns"
    if record.lines is not None:
        why += f" (lines {record.lines[0]} to {record.lines[1]}: is a quote not closed?)"
    return why
