"""JSON lines (an object a line), and a JSON array of objects. Nested values become JSON text."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.datasets.readers.source import Source
from app.datasets.readers.table import (
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
from app.datasets.readers.values import row_of

_NAMED_BY = 1000
_MAX_OBJECT = 16 * 1024 * 1024
_BETWEEN = re.compile(r"[\s,]*")
_TRIED = 5


def _number(text: str) -> str:
    """As it was written: 1.10 stays 1.10."""
    return text


def _constant(text: str) -> str:
    """NaN is no value; Infinity is refused later, where numbers are read."""
    return "" if text == "NaN" else text


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_constant, strict=False
)


def read(source: Source, options: Options) -> Table:
    """Columns: the keys of the first 1000 objects, in the order of their first use."""
    lines = Lines(source)
    first = next((line.lstrip() for line in lines.head() if line.strip()), "")
    if first.startswith("["):
        objects = _of_array(lines)
        source.notes.append("a JSON array of objects")
    else:
        _check_lines(lines.head())
        objects = _of_lines(lines)
    columns: list[str] = []
    records = _rows(objects, columns, options.settings, source.notes)
    head, rows = sampled(records, _NAMED_BY)
    columns += dict.fromkeys(name for row in head for name in row.cells)
    check_columns(len(columns))
    if not columns:
        raise InvalidInput(
            "the file holds no JSON object with a key",
            code="no_rows" if not head else "not_a_table",
            remedy='Write one object a line: {"smiles": "CCO", "y": 1.5}.',
        )
    return Table(
        format="jsonl",
        columns=columns,
        rows=rows,
        notes=source.notes,
        encoding=lines.encoding,
    )


def _check_lines(head: list[str]) -> None:
    """One object over many lines is not a table of objects."""
    used = [line for line in head if line.strip()][:_TRIED]
    if not any(isinstance(value, dict) for value, _ in map(_parsed, used)):
        raise InvalidInput(
            "the file is JSON, but neither lines of objects nor an array of objects",
            code="not_a_table",
            remedy='Write one object a line: {"smiles": "CCO", "y": 1.5}; of a pandas table: '
            'to_json(path, orient="records", lines=True).',
        )


def _parsed(text: str) -> tuple[Any, str | None]:
    try:
        return _DECODER.decode(text), None
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg} at character {error.pos + 1}"
    except (RecursionError, ValueError):
        return None, "not JSON that can be read (nested too deeply)"


def _of_lines(lines: Iterable[str]) -> Iterator[tuple[Any, str | None]]:
    return (_parsed(line) for line in lines if line.strip())


def _of_array(lines: Iterable[str]) -> Iterator[tuple[Any, str | None]]:
    """Objects one by one, holding no more than one of them and a piece of the file."""
    buffer, number, began = "", 0, False
    for piece in _pieces(lines):
        buffer += piece
        if not began:
            buffer, began = buffer.lstrip()[1:], True
        while True:
            buffer = buffer[_end_of(_BETWEEN.match(buffer)) :]
            if buffer.startswith("]"):
                return
            try:
                value, end = _DECODER.raw_decode(buffer)
            except json.JSONDecodeError:
                break  # the rest of it is in the next piece
            except (RecursionError, ValueError) as error:
                raise damaged(
                    f"object {number + 1} of the JSON array cannot be read",
                    "Write one flat object a row.",
                ) from error
            buffer = buffer[end:]
            number += 1
            yield value, None
        if len(buffer) > _MAX_OBJECT:
            break
    raise damaged(
        f"the JSON array is damaged or cut off after object {number}",
        "Check the file near there, or write one object a line.",
    )


def _end_of(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Lines together until they are worth a try at parsing."""
    piece: list[str] = []
    size = 0
    for line in lines:
        piece += (line, "\n")
        size += len(line) + 1
        if size >= 64 * 1024:
            yield "".join(piece)
            piece, size = [], 0
    yield "".join(piece)


def _rows(
    objects: Iterator[tuple[Any, str | None]],
    columns: list[str],
    settings: Settings,
    notes: list[str],
) -> Iterator[SourceRow]:
    """`columns` is filled in by the caller after the first rows; keys seen later are noted."""
    late: set[str] = set()
    for number, (value, wrong) in enumerate(objects, start=1):
        check_rows(number, settings)
        if not isinstance(value, dict):
            yield SourceRow(row=number, cells={}, reason=wrong or "not a JSON object")
            continue
        named = {_name(key): item for key, item in value.items()}
        if columns and not late and (new := named.keys() - set(columns)):
            late |= new
            notes.append(f"the key {min(new)[:100]!r} is first seen in row {number}: ignored")
        cells, reason = row_of(named)
        yield SourceRow(row=number, cells=cells, reason=reason)


def _name(key: str) -> str:
    clean = key[:MAX_NAME].replace("\0", "").strip()
    return clean.encode("utf-8", "replace").decode("utf-8") or "column_1"
