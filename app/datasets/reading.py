"""Opening a raw file as a table: by content, then by name; a person may say the format."""

from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType

from app.core.settings import Settings
from app.datasets.params import DecimalSign
from app.datasets.readers import (
    delimited,
    excel,
    json_rows,
    mol2,
    parquet,
    sdf,
    smiles,
)
from app.datasets.readers.decimals import guess_decimal
from app.datasets.readers.formats import choose_format
from app.datasets.readers.source import Source, open_source
from app.datasets.readers.table import Options, SourceRow, Table, sampled
from app.storage import Storage

__all__ = ["SourceRow", "Table", "open_table"]

_SAMPLE = 200
_READERS: dict[str, ModuleType] = {
    "csv": delimited,
    "tsv": delimited,
    "excel": excel,
    "parquet": parquet,
    "smiles": smiles,
    "sdf": sdf,
    "mol2": mol2,
    "jsonl": json_rows,
}


def open_table(
    storage: Storage,
    key: str,
    name: str,
    settings: Settings,
    *,
    format_: str = "auto",
    sheet: str | None = None,
    decimal: DecimalSign = "auto",
) -> Table:
    """The file's columns and rows, to be used as a context manager.

    Raises InvalidInput for what is no table (empty, binary, damaged, ambiguous), PayloadTooLarge
    for what is too much; reading rows may raise them too.
    """
    with ExitStack() as opened:
        source = open_source(storage, key, name, settings, opened)
        kind = choose_format(source, format_)
        options = Options(
            settings=settings, sheet=sheet, separator="\t" if format_ == "tsv" else None
        )
        read: Callable[[Source, Options], Table] = _READERS[kind].read
        table = read(source, options)
        _set_decimal(table, decimal)
        table.opened = opened.pop_all()
        return table


def _set_decimal(table: Table, said: DecimalSign) -> None:
    if said != "auto":
        table.decimal = "," if said == "comma" else "."
        return
    sample, table.rows = sampled(table.rows, _SAMPLE)
    found: list[str] = []
    table.decimal = guess_decimal(table.columns, sample, table.separator, found)
    if table.decimal == ",":
        found.append("numbers are read with decimal commas")
    table.notes += found
