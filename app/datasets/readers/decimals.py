"""Decimal commas or points, from the first rows of a file."""

import re
from collections.abc import Sequence

from app.datasets.numbers import Decimal
from app.datasets.readers.table import SourceRow

_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
#: 1,234 may be a thousand
_GROUP = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_MIN_SHARE = 0.5


def is_decimal_comma(text: str) -> bool:
    """A number with a decimal comma that cannot be a group of thousands."""
    return _COMMA.fullmatch(text) is not None and _GROUP.fullmatch(text) is None


def guess_decimal(
    columns: Sequence[str], rows: Sequence[SourceRow], separator: str | None, notes: list[str]
) -> Decimal:
    """The sign that most number columns use. `1,234` alone says comma only between semicolons."""
    commas, points, groups = [], [], []
    for name in columns:
        values = [v for row in rows if (v := row.cells.get(name, ""))]
        numbers = [v for v in values if _is_number(v)]
        if not numbers or len(numbers) < _MIN_SHARE * len(values):
            continue
        by_comma = sum(map(is_decimal_comma, numbers))
        by_point = sum(_POINT.fullmatch(v) is not None for v in numbers)
        if by_comma > by_point:
            commas.append(name)
        elif by_point:
            points.append(name)
        elif any(_GROUP.fullmatch(v) for v in numbers):
            groups.append(name)
    if commas and points:
        notes.append(
            f"decimal commas in {_shown(commas)}, decimal points in {_shown(points)}: "
            "say `decimal` if the wrong one was taken"
        )
    if not commas and not points and groups:
        return "," if separator == ";" else "."
    return "," if len(commas) > len(points) else "."


def _is_number(text: str) -> bool:
    return any(shape.fullmatch(text) for shape in (_INTEGER, _POINT, _COMMA))


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:50]) for name in names[:5])
