"""Typed values (JSON, Parquet, workbooks) as the text of a cell."""

import json
import math
from datetime import date, datetime, time
from typing import Any

from app.datasets.readers.table import MAX_CELL


class Unreadable(ValueError):
    """Why a value cannot be a cell."""


def text_of(value: Any) -> str:
    """None and NaN are empty, true and false are words, dates ISO 8601, nested values JSON.

    Raises Unreadable for NUL characters, bytes and texts longer than a cell may be.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | time):
        return _moment(value)
    if isinstance(value, bytes):
        raise Unreadable("a cell holds bytes")
    if isinstance(value, list | dict | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return _checked(str(value))


def _moment(value: date | time) -> str:
    """A date without a time of day is written as a date."""
    if isinstance(value, datetime) and value.time() == time(0) and value.tzinfo is None:
        value = value.date()
    return value.isoformat()


def _checked(text: str) -> str:
    if "\0" in text:
        raise Unreadable("a cell holds a NUL character")
    if len(text) > MAX_CELL:
        raise Unreadable(f"a cell is longer than {MAX_CELL:,} characters")
    text = text.strip()
    if text.isascii():
        return text
    # half a surrogate pair ("\ud800" in JSON) is no character
    return text.encode("utf-8", "replace").decode("utf-8")


def row_of(values: dict[str, Any]) -> tuple[dict[str, str], str | None]:
    """Cells, and why the row cannot be used: the first value that is no cell."""
    cells: dict[str, str] = {}
    reason = None
    for name, value in values.items():
        try:
            cells[name] = text_of(value)
        except Unreadable as error:
            cells[name] = ""
            reason = reason or f"{name[:100]}: {error}"
    return cells, reason
