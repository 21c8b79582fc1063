"""Parquet, read in batches by pyarrow."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.errors import InvalidInput, PayloadTooLarge
from app.core.settings import Settings
from app.datasets.readers.source import Source
from app.datasets.readers.table import (
    MAX_CELL,
    Options,
    SourceRow,
    Table,
    check_columns,
    check_rows,
    damaged,
    unique_names,
)
from app.datasets.readers.values import row_of

_BATCH = 256
#: one page may unfold to as many bytes
_MAX_ROW_GROUP = 4 * 1024**3
_BROKEN = (pa.ArrowException, OSError, MemoryError, ValueError, TypeError, KeyError)


def read(source: Source, options: Options) -> Table:
    """Nested values become JSON text; columns of bytes are left out, with a note."""
    file = _opened(source)
    _check(file, options.settings)
    schema = file.schema_arrow
    check_columns(len(schema.names))
    names = unique_names(name.replace("\0", "").strip() for name in schema.names)
    kept = [n for n, field in enumerate(schema) if not _is_bytes(field.type)]
    if len(kept) < len(names):
        left = [names[n] for n in range(len(names)) if n not in kept]
        source.notes.append(f"columns of bytes were left out: {', '.join(map(repr, left[:20]))}")
    if not kept:
        raise InvalidInput(
            "the Parquet file has no column that can be read",
            code="not_a_table",
            remedy="Write text and number columns.",
        )
    return Table(
        format="parquet",
        columns=[names[n] for n in kept],
        rows=_rows(file, names, kept, options.settings),
        notes=source.notes,
    )


def _opened(source: Source) -> Any:
    try:
        stream = source.opened.enter_context(source.path().open("rb"))
        # texts that repeat stay a dictionary: a batch never holds copies of a huge one
        names = [
            field.name
            for field in pq.ParquetFile(stream).schema_arrow
            if pa.types.is_string(field.type)
        ]
        return pq.ParquetFile(stream, read_dictionary=names, page_checksum_verification=True)
    except _BROKEN as error:
        raise _damaged() from error


def _damaged() -> InvalidInput:
    return damaged("the Parquet file is damaged", "Write it again and upload that.")


def _check(file: Any, settings: Settings) -> None:
    meta = file.metadata
    check_rows(meta.num_rows, settings)
    sizes = [meta.row_group(n).total_byte_size for n in range(meta.num_row_groups)]
    if sum(sizes) > settings.max_decompressed_bytes:
        raise PayloadTooLarge("the Parquet file unfolds to more bytes than allowed")
    if max(sizes, default=0) > _MAX_ROW_GROUP:
        raise PayloadTooLarge(
            "a row group of the Parquet file is larger than 4 GiB",
            remedy="Write it with smaller row groups (row_group_size=100_000).",
        )


def _is_bytes(type_: pa.DataType) -> bool:
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(check(type_) for check in checks)


def _rows(file: Any, names: list[str], kept: list[int], settings: Settings) -> Iterator[SourceRow]:
    number = 0
    for batch in _batches(file):
        columns = [_column(batch.column(n)) for n in kept]
        for values in zip(*columns, strict=True):
            number += 1
            check_rows(number, settings)
            cells, reason = row_of(dict(zip((names[n] for n in kept), values, strict=True)))
            yield SourceRow(row=number, cells=cells, reason=reason)


def _batches(file: Any) -> Iterator[Any]:
    try:
        yield from file.iter_batches(batch_size=_BATCH)
    except _BROKEN as error:
        raise _damaged() from error


def _column(column: Any) -> list[Any]:
    try:
        if pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type):
            return _words(column)
        values: list[Any] = column.to_pylist()
    except (*_BROKEN, UnicodeDecodeError) as error:
        raise _damaged() from error
    return values


def _words(column: Any) -> list[str | None]:
    """Each different text once; one that is too long stays too long, at a character's cost."""
    words = [
        text if len(text) <= MAX_CELL else text[: MAX_CELL + 1]
        for text in (word.as_py() or "" for word in column.dictionary)
    ]
    return [None if place is None else words[place] for place in column.indices.to_pylist()]
