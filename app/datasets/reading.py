"""Streamed readers of CSV and SDF, plain or gzipped: memory does not grow with the file."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, Self, cast

from app.core.errors import InvalidInput, PayloadTooLarge
from app.core.settings import Settings
from app.datasets.columns import STRUCTURE
from app.storage import Storage

_SNIFF_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
#: one cell; an SDF record of a large protein fits
_MAX_CELL = 4 * 1024 * 1024
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One row of the file: 1-based number of the data row (or SDF record), cells by column."""

    row: int
    cells: dict[str, str]
    #: why the row cannot be used at all (a wrong number of cells)
    reason: str | None = None


@dataclass(kw_only=True)
class Table:
    """An opened file: its columns, and its rows once. A context manager that closes the file."""

    format: Literal["csv", "sdf"]
    columns: list[str]
    rows: Iterator[SourceRow]
    stream: io.TextIOWrapper
    notes: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def open_table(
    storage: Storage, key: str, name: str, settings: Settings, *, format_: str = "auto"
) -> Table:
    """Raises InvalidInput for what is no table: empty, binary, without a header or a data row."""
    stream, notes = _open(storage, key, settings)
    head = stream.peek(_SNIFF_BYTES)[:_SNIFF_BYTES]
    if not head.strip():
        raise InvalidInput(
            "the file is empty", code="empty_file", remedy="Upload a CSV or SDF file with rows."
        )
    if b"\x00" in head:
        raise InvalidInput(
            "the file is binary, neither CSV nor SDF",
            code="not_a_table",
            remedy="Export it as CSV (UTF-8) or SDF; gzip is welcome.",
        )
    kind = format_ if format_ != "auto" else _guess_format(name, head)
    text = io.TextIOWrapper(
        cast("BinaryIO", stream), encoding=_encoding(head, notes), errors="replace", newline=""
    )
    if kind == "sdf":
        return _open_sdf(text, settings, notes)
    return _open_csv(text, head, settings, notes)


class _Limited(io.RawIOBase):
    """Raises PayloadTooLarge once more bytes came out than allowed (a decompression bomb)."""

    def __init__(self, stream: BinaryIO, limit: int, raw: BinaryIO) -> None:
        self._stream = stream
        self._raw = raw
        self._left = limit

    def close(self) -> None:
        self._stream.close()
        self._raw.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except (OSError, EOFError) as error:
            raise InvalidInput(
                f"the compressed file is damaged: {error}",
                code="damaged_file",
                remedy="Compress and upload it again.",
            ) from error
        self._left -= len(data)
        if self._left < 0:
            raise PayloadTooLarge("the file unfolds to more bytes than allowed")
        buffer[: len(data)] = data
        return len(data)


def _open(storage: Storage, key: str, settings: Settings) -> tuple[io.BufferedReader, list[str]]:
    raw = storage.open(key)
    start = raw.read(2)
    raw.seek(0)
    zipped = start == _GZIP
    source = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
    limited = _Limited(source, settings.max_decompressed_bytes, raw)
    return io.BufferedReader(limited, _SNIFF_BYTES), ["gzip"] if zipped else []


def _guess_format(name: str, head: bytes) -> str:
    stem = name.lower().removesuffix(".gz")
    if stem.endswith((".sdf", ".sd", ".mol")):
        return "sdf"
    if stem.endswith((".csv", ".tsv", ".txt", ".smi")):
        return "csv"
    return "sdf" if b"M  END" in head or b"$$$$" in head else "csv"


def _encoding(head: bytes, notes: list[str]) -> str:
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            notes.append("the file is not UTF-8; it was read as Latin-1")
            return "latin-1"
    return "utf-8-sig"


# ---- CSV


def _open_csv(text: io.TextIOWrapper, head: bytes, settings: Settings, notes: list[str]) -> Table:
    csv.field_size_limit(_MAX_CELL)
    first_line = head.decode("utf-8-sig", errors="replace").splitlines()[0]
    separator = max(_SEPARATORS, key=first_line.count)
    reader = csv.reader(text, delimiter=separator, strict=False)
    header = [name.strip() for name in next(reader, [])]
    columns = _unique(header)
    if not any(header):
        raise InvalidInput("the first line names no column", remedy="Begin with a header line.")
    return Table(
        format="csv",
        columns=columns,
        rows=_csv_rows(reader, columns, settings),
        stream=text,
        notes=notes,
    )


def _csv_rows(
    reader: "Iterator[list[str]]", columns: list[str], settings: Settings
) -> Iterator[SourceRow]:
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InvalidInput(
                f"after data row {number} the file is no CSV: {error}",
                code="damaged_file",
                remedy="Check quotes and line ends near that row.",
            ) from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue  # blank lines are no rows
        number += 1
        _check_rows(number, settings)
        if len(cells) == len(columns):
            yield SourceRow(row=number, cells=dict(zip(columns, cells, strict=True)))
        else:
            why = f"{len(cells)} cells where the header names {len(columns)} columns"
            padded = (cells + [""] * len(columns))[: len(columns)]
            yield SourceRow(row=number, cells=dict(zip(columns, padded, strict=True)), reason=why)


def _unique(names: list[str]) -> list[str]:
    """Nameless columns are called column_<n>, repeated names get a number."""
    seen: dict[str, int] = {}
    unique = []
    for place, given in enumerate(names, start=1):
        name = given or f"column_{place}"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


# ---- SDF


def _open_sdf(text: io.TextIOWrapper, settings: Settings, notes: list[str]) -> Table:
    """Records are cut at `$$$$` only: a record that crashes a parser crashes its chunk, not us.

    The columns are the data items of the first 1000 records; the structure is its own column.
    """
    records = _sdf_records(text, settings)
    head = [record for record, _ in zip(records, range(1000), strict=False)]
    if not head:
        raise InvalidInput("the SDF holds no record", remedy="Each record ends with `$$$$`.")
    names = dict.fromkeys(name for record in head for name in record.cells if name != STRUCTURE)
    columns = [STRUCTURE, *names]

    def rows() -> Iterator[SourceRow]:
        yield from head
        yield from records

    return Table(format="sdf", columns=columns, rows=rows(), stream=text, notes=notes)


def _sdf_records(text: io.TextIOWrapper, settings: Settings) -> Iterator[SourceRow]:
    number, size, lines = 0, 0, list[str]()
    for line in text:
        bare = line.rstrip("\r\n")
        if bare != "$$$$":
            size += len(line)
            if size > _MAX_CELL:
                raise InvalidInput(
                    f"SDF record {number + 1} is longer than {_MAX_CELL} characters",
                    remedy="Check that every record ends with `$$$$`.",
                )
            lines.append(bare)
            continue
        number += 1
        _check_rows(number, settings)
        yield SourceRow(row=number, cells=_sdf_cells(lines))
        size, lines = 0, []
    if any(line.strip() for line in lines):
        yield SourceRow(row=number + 1, cells=_sdf_cells(lines))


def _sdf_cells(lines: list[str]) -> dict[str, str]:
    end = next((n for n, line in enumerate(lines) if line.startswith("M  END")), None)
    block = "\n".join(lines[: end + 1]) + "\n" if end is not None else ""
    cells = {STRUCTURE: block}
    name: str | None = None
    for line in lines[(end + 1 if end is not None else 0) :]:
        if line.startswith(">") and "<" in line:
            name = line[line.index("<") + 1 : line.rindex(">")]
            cells[name] = ""
        elif name is not None and line.strip():
            cells[name] = f"{cells[name]}\n{line}" if cells[name] else line
        elif name is not None:
            name = None
    return cells


def _check_rows(number: int, settings: Settings) -> None:
    if number > settings.max_rows:
        raise PayloadTooLarge(
            f"the file has more than {settings.max_rows} rows", remedy="Split the file."
        )
