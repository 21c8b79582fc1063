"""Cells of target columns: numbers, or words with one spelling."""

from app.datasets.columns import Column, is_number

_MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "?", "missing"})


def read_target(column: Column, text: str | None) -> tuple[float | str | None, str | None]:
    """(value, reason): None without a reason is a missing label; a reason says what is wrong.

    `1`, `1.0` and ` 1 ` are one class. Infinite numbers are refused.
    """
    cell = (text or "").strip()
    if cell.lower() in _MISSING:
        return None, None
    if column["type"] == "number":
        if is_number(cell):
            return float(cell), None
        return None, f"{column['name']} is not a number: {cell[:50]!r}"
    if is_number(cell) and float(cell).is_integer():
        return str(int(float(cell))), None
    return cell, None
