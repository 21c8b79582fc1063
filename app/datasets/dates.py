"""Dates as people write them; one format for each column, found from its cells."""

from collections.abc import Sequence
from datetime import UTC, datetime

#: `iso` is what datetime.fromisoformat reads; of day/month and month/day the first that reads all
#: cells wins, so a column in which no day is above 12 is read month first and said so
_FORMATS = ("iso", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%b-%Y", "%d %B %Y")
AMBIGUOUS = ("%m/%d/%Y", "%d/%m/%Y")
_SHORTEST = 8


def date_format(cells: Sequence[str]) -> str | None:
    """The format that reads every one of `cells`; None when there is none, or no cell."""
    if not cells or any(len(cell) < _SHORTEST or cell.isdigit() for cell in cells):
        return None
    return next((f for f in _FORMATS if all(parse_date(c, f) is not None for c in cells)), None)


def parse_date(text: str, format_: str) -> datetime | None:
    """Without a time zone: what has one is turned to UTC."""
    try:
        if format_ == "iso":
            found = datetime.fromisoformat(text.strip())
        else:
            found = datetime.strptime(text.strip(), format_)  # noqa: DTZ007 - cells have no zone
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo is not None else found
