"""Excel workbooks (.xlsx), read by openpyxl row by row; XML entities are refused (defusedxml)."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from app.core.errors import InvalidInput, PayloadTooLarge, RetortError, UnknownName
from app.core.names import listed, shown
from app.core.settings import Settings
from app.datasets.readers.grid import Record, read_grid
from app.datasets.readers.source import Source
from app.datasets.readers.table import Options, Table, damaged
from app.datasets.readers.values import Unreadable, text_of
from app.datasets.readers.zipped import DAMAGE, open_archive

#: Excel's own limit
_MAX_ROWS = 1_048_576
#: parts that openpyxl holds whole: shared texts, styles
_MAX_PART = 256 * 1024 * 1024
#: XML between two rows
_MAX_BETWEEN_ROWS = 32 * 1024 * 1024
_MAX_RATIO = 250
_RATIO_FROM = 64 * 1024 * 1024
_READ = 1024 * 1024
_ROW = re.compile(rb"<(?:\w+:)?row[\s>/]")
_OVERLAP = 64
_ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})
_SHOWN = 20


def read(source: Source, options: Options) -> Table:
    """The sheet named, else the first that is not empty. Raises InvalidInput for damage."""
    path = source.path()
    _check(path, options.settings)
    # by an open file: of a path, openpyxl believes the ending
    workbook = _opened(source.opened.enter_context(path.open("rb")))
    source.opened.callback(workbook.close)
    sheet = _sheet(workbook, options.sheet)
    others = [ws.title for ws in workbook.worksheets if ws.title != sheet.title]
    source.notes.append(f"read sheet {sheet.title!r}" + _others(others))
    records = _records(sheet, source.notes)
    columns, rows = read_grid(records, options.settings, source.notes, pad=True)
    return Table(format="excel", columns=columns, rows=rows, notes=source.notes, sheet=sheet.title)


def _others(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"; not read: {shown}" if names else ""


def _check(path: Path, settings: Settings) -> None:
    """Sizes that the archive states (zipfile never gives more), before anything is unfolded."""
    with open_archive(path) as archive:
        for info in archive.infolist():
            sheet = "worksheets/" in info.filename
            limit = settings.max_decompressed_bytes if sheet else _MAX_PART
            bomb = info.file_size > max(_RATIO_FROM, _MAX_RATIO * info.compress_size)
            if info.file_size > limit or bomb:
                raise PayloadTooLarge(
                    f"{info.filename[:100]} in the workbook unfolds to {info.file_size:,} bytes",
                    code="compression_ratio" if bomb else None,
                    remedy="Save the sheet as CSV and upload that.",
                )
            if sheet:
                _check_rows_apart(archive, info)


def _check_rows_apart(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """A parser holds one row: refuse rows that would fill memory."""
    try:
        with archive.open(info) as stream:
            since, tail = 0, b""
            while part := stream.read(_READ):
                text = tail + part
                found = [match.start() for match in _ROW.finditer(text)]
                since = len(text) - found[-1] if found else since + len(part)
                if since > _MAX_BETWEEN_ROWS:
                    raise InvalidInput(
                        "a row of the workbook is too large",
                        code="damaged_file",
                        remedy="Save the sheet as CSV and upload that.",
                    )
                tail = text[-_OVERLAP:]
    except DAMAGE as error:
        raise _damaged() from error


def _damaged() -> InvalidInput:
    return damaged("the Excel workbook is damaged", "Open it in Excel, save it again, upload that.")


def _opened(stream: BinaryIO) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except Exception as error:
        raise _damaged() from error


def _sheet(workbook: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if name is not None:
        if name not in sheets:
            raise UnknownName(
                f"the workbook has no sheet {shown(name)}",
                code="unknown_sheet",
                remedy=f"Its sheets are, the nearest first: {listed(name, sheets, most=_SHOWN)}.",
            )
        return sheets[name]
    for sheet in sheets.values():
        if any(any(record.cells) for record in _records(sheet, [])):
            return sheet
    raise InvalidInput(
        "every sheet of the workbook is empty",
        code="empty_file",
        remedy="Write the table into a sheet, with a header line.",
    )


def _records(sheet: Any, notes: list[str]) -> Iterator[Record]:
    noted = False
    for number, values in enumerate(_values(sheet), start=1):
        if number > _MAX_ROWS:
            raise damaged("a sheet has more rows than Excel allows", "Save it as CSV instead.")
        cells, reason = [], None
        for value in values:
            try:
                cells.append(text_of(value))
            except Unreadable as error:
                cells.append("")
                reason = str(error)
        if not noted and _ERRORS.intersection(cells):
            notes.append("error cells (such as #N/A) were read as missing")
            noted = True
        cells = ["" if cell in _ERRORS else cell for cell in cells]
        yield Record(cells=cells, reason=reason)


def _values(sheet: Any) -> Iterator[tuple[Any, ...]]:
    try:
        sheet.reset_dimensions()  # what the file states of its size may be wrong
        yield from sheet.iter_rows(values_only=True)
    except RetortError:
        raise
    except Exception as error:
        raise _damaged() from error
