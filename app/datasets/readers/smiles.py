"""SMILES files: `SMILES<blank>name` a line, with or without a header line."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from app.core.errors import InvalidInput
from app.core.settings import Settings
from app.datasets.numbers import is_number
from app.datasets.readers.smiles_text import reads_as_smiles
from app.datasets.readers.source import Source
from app.datasets.readers.table import MAX_CELL, Options, SourceRow, Table, check_rows, unique_names
from app.datasets.readers.text import Lines

_SAMPLE = 200


def read(source: Source, options: Options) -> Table:
    """Columns `smiles` and, where lines have more, `name` (`value` of numbers); a header line gives
    its own names.
    """
    lines = Lines(source)
    used = (_cut(line) for line in lines if line.strip() and not line.startswith("#"))
    head = list(islice(used, _SAMPLE))
    if not head:
        raise InvalidInput(
            "the SMILES file holds no line", code="empty_file", remedy="Write one SMILES a line."
        )
    columns = ["smiles", "name"]
    if len(head) > 1 and not _reads(head[0]) and _reads(head[1]):
        given, head = head[0], head[1:]
        columns = unique_names([given[0], given[1] or "name"])
    elif all(is_number(name) for _, name in head):
        columns[1] = "value"
    if not any(name for _, name in head):
        columns = columns[:1]
    return Table(
        format="smiles",
        columns=columns,
        rows=_rows(chain(head, used), columns, options.settings),
        notes=source.notes,
        encoding=lines.encoding,
    )


def _reads(pair: tuple[str, str]) -> bool:
    return reads_as_smiles(pair[0].split(" |", 1)[0])


def _cut(line: str) -> tuple[str, str]:
    """A ChemAxon extension (`CCO |...| name`) stays with its SMILES."""
    smiles, _, rest = line.strip().partition("\t") if "\t" in line else _at_blank(line.strip())
    rest = rest.strip()
    if rest.startswith("|") and (end := rest.find("|", 1)) > 0:
        smiles, rest = f"{smiles} {rest[: end + 1]}", rest[end + 1 :].strip()
    return smiles.strip(), rest


def _at_blank(line: str) -> tuple[str, str, str]:
    parts = line.split(None, 1)
    return parts[0], " ", parts[1] if len(parts) > 1 else ""


def _rows(
    pairs: Iterable[tuple[str, str]], columns: list[str], settings: Settings
) -> Iterator[SourceRow]:
    for number, pair in enumerate(pairs, start=1):
        check_rows(number, settings)
        reason = None
        if max(map(len, pair)) > MAX_CELL:
            reason = f"a line is longer than {MAX_CELL:,} characters"
        cells = dict(zip(columns, (part[:MAX_CELL] for part in pair), strict=False))
        yield SourceRow(row=number, cells=cells, reason=reason)
