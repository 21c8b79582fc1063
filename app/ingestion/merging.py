"""Replicates: rows with one standardized structure become one row, by a stated rule.

Of a big file only numbers are held: eight bytes a row to find replicates, and the targets of those
rows that occur twice, as Arrow columns.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.datasets.columns import Column, stored_name
from app.datasets.fingerprints import hash_texts
from app.datasets.replicates import Spreads

Rule = Literal["merge", "keep_first", "keep_all"]
#: 64 bits a row, equal for rows that are one
Identities = Callable[[pa.Table], NDArray[np.uint64]]

#: conflicts that the report names one by one, and what it shows of each
_MAX_NAMED = 100
_MAX_SHOWN = 20


def structure_identities(part: pa.Table) -> NDArray[np.uint64]:
    """Rows with one standardized structure are one."""
    smiles: list[Any] = part.column("smiles").to_pylist()
    return hash_texts(smiles)


def identities_beside(features: Sequence[Column]) -> Identities:
    """Of molecules with feature columns (a temperature, a cell line): rows with one structure under
    the same conditions are one.
    """
    if not features:
        return structure_identities
    names = ["smiles", *(stored_name(column["name"]) for column in features)]

    def identities(part: pa.Table) -> NDArray[np.uint64]:
        rows = zip(*(part.column(name).to_pylist() for name in names), strict=True)
        return hash_texts(repr(row) for row in rows)

    return identities


def row_identities(part: pa.Table) -> NDArray[np.uint64]:
    """Of a table: rows that are equal in every cell are one."""
    rows = part.drop_columns(["row"]).to_pylist()
    return hash_texts(repr(list(row.values())) for row in rows)


@dataclass(kw_only=True)
class Replicates:
    """Over the parts of a data set, in order: `count` each, `collect` each, `merge` each."""

    targets: Sequence[Column]
    identities: Identities
    #: averaged as numbers are; that they differ is no conflict
    weights: Sequence[Column] = ()
    rule: Rule = "merge"
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    n_conflicts: int = 0
    #: of merged rows
    spreads: Spreads = field(default_factory=Spreads)
    _keys: list[NDArray[np.uint64]] = field(default_factory=list)
    _groups: "_Groups | None" = None
    _values: list[pa.Table] = field(default_factory=list)

    @property
    def n_groups(self) -> int:
        """Structures (or rows of a table) that occur more than once."""
        return len(self._found.firsts)

    def count(self, part: pa.Table) -> None:
        """Unless `keep_all`."""
        self._keys.append(self.identities(part))

    def collect(self, part: pa.Table, start: int) -> None:
        """For `merge`. `start`: how many rows were in the parts before."""
        here = self._found.within(start, len(part)) - start
        if len(here):
            self._values.append(part.select(["row", *self._merged_names]).take(here))

    def merge(self, part: pa.Table, start: int) -> pa.Table:
        """Each identity once, at its first row, with `n_merged` and `merged_rows`."""
        kept = self._found.kept(start, len(part)) if self.rule != "keep_all" else None
        table = part if kept is None else part.filter(pa.array(kept))
        n_merged = [1] * len(table)
        merged_rows = [str(row) for row in table.column("row").to_pylist()]
        if kept is not None and self.rule == "merge":
            table = self._merge_groups(table, start, np.flatnonzero(kept), n_merged, merged_rows)
        after = 3 if "smiles" in table.column_names else 1
        table = table.add_column(after, "n_merged", pa.array(n_merged, pa.int64()))
        return table.add_column(after + 1, "merged_rows", pa.array(merged_rows, pa.string()))

    # ---- the groups whose first row lies in one part

    def _merge_groups(
        self,
        table: pa.Table,
        start: int,
        kept: NDArray[np.int64],
        n_merged: list[int],
        merged_rows: list[str],
    ) -> pa.Table:
        stop = start + (int(kept[-1]) + 1 if len(kept) else 0)
        groups = self._found.groups_within(start, stop)
        if not groups.sizes:
            return table
        places = np.searchsorted(kept, groups.firsts - start).tolist()
        rows = self._by_group("row", groups)
        for place, numbers in zip(places, rows, strict=True):
            n_merged[place] = len(numbers)
            merged_rows[place] = " ".join(map(str, numbers))
        for column in (*self.targets, *self.weights):
            name = stored_name(column["name"])
            cells = table.column(name).to_pylist()
            for place, numbers, values in zip(
                places, rows, self._by_group(name, groups), strict=True
            ):
                known = [value for value in values if value is not None]
                cells[place] = _merged(column, known)
                if column in self.weights:
                    continue
                if _has_smiles(table):
                    self.spreads.add(column, numbers[0], known)
                if len(set(known)) > 1:
                    self._note(column, table, place, numbers, known, cells[place])
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(cells, table.schema.field(at).type))
        return table

    def _by_group(self, name: str, groups: "_Part") -> list[list[Any]]:
        """The values of a collected column, a list for each group."""
        cells = self._collected.column(name).take(_indices(groups.members)).to_pylist()
        ends = np.cumsum(groups.sizes).tolist()
        return [cells[end - size : end] for end, size in zip(ends, groups.sizes, strict=True)]

    def _note(
        self,
        column: Column,
        table: pa.Table,
        place: int,
        rows: Sequence[int],
        values: Sequence[Any],
        kept: Any,
    ) -> None:
        self.n_conflicts += 1
        if len(self.conflicts) >= _MAX_NAMED:
            return
        numeric = column["type"] == "number"
        self.conflicts.append(
            {
                "smiles": table.column("smiles")[place].as_py() if _has_smiles(table) else None,
                "rows": list(rows[:_MAX_SHOWN]),
                "n_rows": len(rows),
                "target": column["name"],
                "values": list(values[:_MAX_SHOWN]),
                "spread": max(values) - min(values) if numeric else None,
                # null: a tie, so the label is missing
                "kept": kept,
            }
        )

    @property
    def _merged_names(self) -> list[str]:
        return [stored_name(column["name"]) for column in (*self.targets, *self.weights)]

    @property
    def _collected(self) -> pa.Table:
        if len(self._values) > 1:
            self._values = [pa.concat_tables(self._values).combine_chunks()]
        return self._values[0]

    @property
    def _found(self) -> "_Groups":
        if self._groups is None:
            keys = np.concatenate(self._keys) if self._keys else np.zeros(0, dtype=np.uint64)
            self._keys = []
            self._groups = _Groups.of(keys)
        return self._groups


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The groups whose first row lies in one part."""

    #: position of each one's first row among all rows
    firsts: NDArray[np.int64]
    sizes: list[int]
    #: places of their rows in the collected values, group by group
    members: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """Positions of the rows that occur more than once."""

    #: all such rows, in order
    members: NDArray[np.int64]
    #: of each group its first row, ascending
    firsts: NDArray[np.int64]
    #: the rows group by group; group g is by_group[offsets[g] : offsets[g] + sizes[g]]
    by_group: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> "_Groups":
        order = np.argsort(keys, kind="stable").astype(np.int64, copy=False)
        ordered = keys[order]
        begins = np.ones(len(keys), dtype=bool)
        begins[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(begins)
        sizes = np.diff(np.append(starts, len(keys)))
        several = sizes > 1
        by_group = order[np.repeat(several, sizes)]
        firsts, sizes = order[starts[several]], sizes[several]
        offsets = np.cumsum(sizes) - sizes
        by_first = np.argsort(firsts)
        return cls(
            members=np.sort(by_group),
            firsts=firsts[by_first],
            by_group=by_group,
            offsets=offsets[by_first],
            sizes=sizes[by_first],
        )

    def within(self, start: int, length: int) -> NDArray[np.int64]:
        low, high = np.searchsorted(self.members, [start, start + length])
        return self.members[low:high]

    def kept(self, start: int, length: int) -> NDArray[np.bool_]:
        """False for every row but the first of a group."""
        mask = np.ones(length, dtype=bool)
        mask[self.within(start, length) - start] = False
        low, high = np.searchsorted(self.firsts, [start, start + length])
        mask[self.firsts[low:high] - start] = True
        return mask

    def groups_within(self, start: int, stop: int) -> _Part:
        low, high = np.searchsorted(self.firsts, [start, stop])
        sizes = self.sizes[low:high]
        # begin of each group, plus 0, 1, 2, ... within it
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        positions = self.by_group[np.repeat(self.offsets[low:high], sizes) + within]
        return _Part(
            firsts=self.firsts[low:high],
            sizes=sizes.tolist(),
            members=np.searchsorted(self.members, positions),
        )


def _merged(column: Column, values: Sequence[Any]) -> Any:
    """Numbers: the arithmetic mean. Classes: the majority; a tie is a missing label."""
    if column["type"] == "number":
        return sum(values) / len(values) if values else None
    ranked = Counter(values).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _indices(places: NDArray[np.int64]) -> Any:
    return pa.array(places, pa.int64())


def _has_smiles(table: pa.Table) -> bool:
    return "smiles" in table.column_names
