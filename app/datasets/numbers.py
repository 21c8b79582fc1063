"""Numbers as people write them in cells, with a decimal point or a decimal comma."""

import re
from typing import Literal

Decimal = Literal[".", ","]

#: 1,234,567.8 (a thousand at a time); a single group such as 1,234 stays ambiguous and is refused
_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d*"),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*"),
}
#: float() takes more: 1_000, nan, infinity
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_CENSORED = re.compile(r"[<>≤≥~]=?\s*[\d.,+-]")
_WITH_UNIT = re.compile(r"[+-]?[\d.,]+\s*[^\d\s.,+-][^\d]*$")


def parse_number(text: str, decimal: Decimal = ".") -> float | None:
    """The finite number that `text` is, else None. `1e-3` and `1,234.5` are numbers; infinities,
    NaN, `1_000` and `0x10` are not.
    """
    cell = text.strip()
    if _GROUPED[decimal].fullmatch(cell):
        cell = cell.replace("." if decimal == "," else ",", "")
    if decimal == ",":
        if "." in cell and "," in cell:
            return None
        cell = cell.replace(",", ".")
    if not _PLAIN.fullmatch(cell):
        return None
    value = float(cell)
    return value if abs(value) != float("inf") else None


def is_number(text: str, decimal: Decimal = ".") -> bool:
    return parse_number(text, decimal) is not None


def why_no_number(text: str) -> str:
    """Half a sentence for a cell that `parse_number` refused."""
    cell = text.strip()
    shown = repr(cell[:50])
    if _CENSORED.match(cell):
        return f"is a bound, not a number: {shown}"
    if cell.lower().lstrip("+-") in ("inf", "infinity", "nan"):
        return f"is not a finite number: {shown}"
    if _WITH_UNIT.fullmatch(cell):
        return f"is not a number: {shown} (units belong in the header)"
    return f"is not a number: {shown}"
