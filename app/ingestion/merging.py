"""Replicates: rows with one standardized structure become one row, by a stated rule."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.datasets.columns import Column, stored_name

#: conflicts that the report names one by one
_MAX_NAMED = 100


def structure_identity(row: dict[str, Any]) -> int:
    """Rows with one standardized structure are one."""
    return _hash64(row["smiles"])


def row_identity(row: dict[str, Any]) -> int:
    """Of a table: rows that are equal in every cell are one."""
    return _hash64(repr([value for name, value in row.items() if name != "row"]))


def _hash64(text: str) -> int:
    """64 bits of SHA-256: one integer a row is all that is held of a big file."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@dataclass(kw_only=True)
class Replicates:
    """Two passes over the rows: count identities, then hold only the rows that occur twice."""

    targets: Sequence[Column]
    #: 64 bits that are equal for rows that are one
    identity: Callable[[dict[str, Any]], int]
    counts: Counter[int] = field(default_factory=Counter)
    groups: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    n_conflicts: int = 0

    def count(self, rows: Iterable[dict[str, Any]]) -> None:
        self.counts.update(map(self.identity, rows))

    def collect(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            key = self.identity(row)
            if self.counts[key] > 1:
                self.groups.setdefault(key, []).append(row)

    def merged(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Each identity once, at its first row, with `n_merged` and `merged_rows`."""
        for row in rows:
            key = self.identity(row)
            group = self.groups.get(key)
            if group is None:
                yield {**row, "n_merged": 1, "merged_rows": str(row["row"])}
            elif group[0]["row"] == row["row"]:
                yield self._merge(group)

    def first_only(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The first row of each identity."""
        seen: set[int] = set()
        for row in rows:
            key = self.identity(row)
            if key not in seen:
                seen.add(key)
                yield {**row, "n_merged": 1, "merged_rows": str(row["row"])}

    def _merge(self, group: list[dict[str, Any]]) -> dict[str, Any]:
        merged = dict(group[0])
        for column in self.targets:
            name = stored_name(column["name"])
            values = [row[name] for row in group if row[name] is not None]
            merged[name] = self._mean(values) if column["type"] == "number" else _majority(values)
            if len(set(values)) > 1:
                self._note(column, group, values)
        merged["n_merged"] = len(group)
        merged["merged_rows"] = " ".join(str(row["row"]) for row in group)
        return merged

    @staticmethod
    def _mean(values: list[float]) -> float | None:
        return sum(values) / len(values) if values else None

    def _note(self, column: Column, group: list[dict[str, Any]], values: list[Any]) -> None:
        self.n_conflicts += 1
        if len(self.conflicts) < _MAX_NAMED:
            spread = max(values) - min(values) if column["type"] == "number" else None
            self.conflicts.append(
                {
                    "smiles": group[0]["smiles"],
                    "rows": [row["row"] for row in group],
                    "target": column["name"],
                    "values": values[:20],
                    "spread": spread,
                }
            )


def _majority(values: list[str]) -> str | None:
    """The most frequent class; a tie is a missing label."""
    ranked = Counter(values).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
