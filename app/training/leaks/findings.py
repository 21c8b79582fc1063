"""What a leak audit finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.splitters.base import Indices

#: row numbers that a finding shows
SHOWN = 20

#: error: the test rows are not what the model has never seen, or a feature is the answer.
#: warning: it may be so, and a person should know
Severity = Literal["warning", "error"]

#: (rows that are learned from, rows that are tested): of a training one pair, of a comparison one
#: for each fold
Sides = Sequence[tuple[Indices, Indices]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of leak in one place."""

    #: which kind: the `code` of the JSON
    leak: str
    severity: Severity
    #: a sentence
    detail: str
    remedy: str
    #: places in the data set's table
    rows: Sequence[int]

    def shown(self, numbers: Sequence[int]) -> dict[str, Any]:
        """JSON. `numbers`: of the table's rows in the source file."""
        return {
            "code": self.leak,
            "severity": self.severity,
            "count": len(self.rows),
            "detail": self.detail,
            "remedy": self.remedy,
            "rows": [int(numbers[row]) for row in self.rows[:SHOWN]],
        }


def how_many(count: int, one: str, many: str | None = None) -> str:
    """`1 test row`, `2 test rows`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
