"""Cells by their column's type: numbers, dates, words with one spelling."""

from typing import Any

from app.datasets.columns import BLANK, Column
from app.datasets.dates import parse_date
from app.datasets.numbers import Decimal, parse_number, why_no_number
from app.features.cells import Value

#: of targets these words mean "no label"; of features `none` and `-` may be words like others
_NO_LABEL = BLANK | {"none", "-", "missing"}


def read_cell(column: Column, text: str | None, decimal: Decimal = ".") -> tuple[Value, str | None]:
    """(value, reason): None without a reason is a missing value; a reason says what is wrong.

    Numbers are float, dates datetime, all others str; `1`, `1.0` and ` 1 ` are one word. Infinite
    numbers are refused.
    """
    cell = (text or "").strip()
    if cell.lower() in (_NO_LABEL if column["role"] == "target" else BLANK):
        return None, None
    if column["type"] == "number":
        number = parse_number(cell, decimal)
        why = None if number is not None else f"{column['name']} {why_no_number(cell)}"
        return number, why
    if column["type"] == "date":
        date = parse_date(cell, column.get("format", "iso"))
        return date, None if date is not None else f"{column['name']} is not a date: {cell[:50]!r}"
    return _word(cell, decimal), None


def read_value(column: Column, value: Any) -> tuple[Value, str | None]:
    """As `read_cell`, for a JSON value: numbers, words, true and false (`1` and `0`), null."""
    if isinstance(value, bool):
        value = int(value)
    return read_cell(column, None if value is None else str(value))


def _word(cell: str, decimal: Decimal) -> str:
    number = parse_number(cell, decimal)
    return str(int(number)) if number is not None and number.is_integer() else cell
