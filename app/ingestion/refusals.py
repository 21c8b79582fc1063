"""Refused rows: streamed from the chunks into rejected.csv, tallied on the way."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.core.csv_cells import safe_cell
from app.core.work import ChunkResult
from app.datasets.columns import STRUCTURE
from app.datasets.parts import Layout, read_part, shown_structure
from app.ingestion.clean import in_file_order
from app.ingestion.staging import Refused, refusal
from app.storage import Storage

#: different reasons that are told apart
_MAX_REASONS = 1_000
_OTHER = "other reasons"
_NAMED = 50
_SHOWN_VALUE = 200
_OURS = ("row", "value", "reason")


@dataclass(kw_only=True)
class Tally:
    """How many rows were refused and why, and the first of them."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: list[Refused] = field(default_factory=list)

    def add(self, entry: Refused) -> None:
        self.rows += 1
        reason = _kind_of(entry.reason)
        if reason not in self.reasons and len(self.reasons) >= _MAX_REASONS:
            reason = _OTHER
        self.reasons[reason] += 1
        if len(self.first) < _NAMED:
            self.first.append(entry)

    def named(self) -> list[dict[str, Any]]:
        return [
            {
                "row": entry.row,
                "value": entry.value[:_SHOWN_VALUE],
                "reason": entry.reason[:_SHOWN_VALUE],
            }
            for entry in self.first
        ]


def write_rejected(
    storage: Storage, key: str, layout: Layout, results: Sequence[ChunkResult]
) -> Tally:
    """rejected.csv: row, value, reason, then the row's cells as the file has them; of long rows
    the cells are left out.
    """
    names = [c["name"] for c in layout.columns if c["name"] != STRUCTURE]
    tally = Tally()
    with storage.writer(key) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow([*_OURS, *(safe_cell(_unlike_ours(name)) for name in names)])
        for entry in refused_rows(storage, layout, results):
            tally.add(entry)
            cells = entry.cells or {}
            writer.writerow(
                [
                    entry.row,
                    safe_cell(entry.value),
                    safe_cell(entry.reason),
                    *(safe_cell(cells.get(name) or "") for name in names),
                ]
            )
        text.flush()
        text.detach()
    return tally


def refused_rows(
    storage: Storage, layout: Layout, results: Sequence[ChunkResult]
) -> Iterator[Refused]:
    """In the order of the file; of a chunk that failed, each of its rows with its reason."""
    for result in in_file_order(results):
        if result.state == "succeeded":
            for entry in orjson.loads(storage.read(result.result["refused_key"])):
                yield Refused(**entry)
        else:
            for row in read_part(storage, result.spec):
                yield refusal(row, shown_structure(row, layout), result.reason)


def _kind_of(reason: str) -> str:
    """Without the value: `y is not a number: 'many'` and `y is not a number: '-'` are one."""
    return reason.split(": '", 1)[0].split(': "', 1)[0]


def _unlike_ours(name: str) -> str:
    return f"{name} (input)" if name in _OURS else name
