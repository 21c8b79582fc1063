"""What changed from one version of a data set to another: columns, and rows by what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.datasets.columns import RESERVED, stored_name
from app.datasets.fingerprints import Hashes, combined, hash_rows, mixed
from app.datasets.records import Dataset, load_dataset
from app.datasets.rows import take_rows
from app.resources import Resources

_EXAMPLES = 50
#: of both tables together; more takes longer than a caller waits
_MAX_ROWS = 2_000_000
_MAX_CELLS = 40_000_000
_MAX_SHOWN_COLUMNS = 50
_OF_COLUMN = ("role", "type", "unit")

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How rows of the two tables are matched and compared."""

    #: smiles | the identifier's name | row (all cells)
    by: str
    key: list[str]
    #: columns that both have, compared where the key is the same
    values: list[str]


def diff(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"dataset", "against"}, ids; `against` is the one before. Counts and up to 50
    examples each of rows added, removed and changed, columns added, removed and changed.

    Raises InvalidInput when they are not ready, of different kinds, or too large.
    """
    after = load_dataset(resources, UUID(payload["dataset"]))
    before = load_dataset(resources, UUID(payload["against"]))
    columns = _columns(before.columns, after.columns)
    plan = _plan(before, after)
    old, new = _path(before), _path(after)
    _check_size(before, after, old, new, plan)
    rows, examples = _rows(old, new, plan, same=before.sha256 == after.sha256)
    moved = rows["added"] + rows["removed"] + rows["changed"]
    return {
        "dataset": after.ref,
        "against": before.ref,
        "equal": not moved and not any(columns.values()),
        "matched_by": plan.by,
        "rows": rows,
        "columns": columns,
        "examples": examples,
    }


def _columns(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    old = {column["name"]: column for column in before}
    new = {column["name"]: column for column in after}
    changed = []
    for name in old.keys() & new.keys():
        pair = [{key: side[name].get(key) for key in _OF_COLUMN} for side in (old, new)]
        if pair[0] != pair[1]:
            changed.append({"name": name, "before": pair[0], "after": pair[1]})
    return {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": sorted(changed, key=lambda entry: str(entry["name"])),
    }


def _plan(before: Dataset, after: Dataset) -> _Plan:
    kinds = before.kind, after.kind
    if kinds[0] != kinds[1]:
        raise InvalidInput(
            f"{before.ref} holds rows of kind {kinds[0]}, {after.ref} of kind {kinds[1]}",
            remedy="Compare two versions of one kind, `against=<name>:<number>`.",
        )
    old, new = (set(pq.ParquetFile(_path(side)).schema_arrow.names) for side in (before, after))
    shared = sorted((old & new) - RESERVED)
    if kinds[0] == "molecule":
        return _Plan(by="smiles", key=["smiles"], values=shared)
    ids = [stored_name(name) for name in after.named("id") if name in before.named("id")]
    if ids:
        return _Plan(by=ids[0], key=ids[:1], values=[n for n in shared if n != ids[0]])
    return _Plan(by="row", key=shared, values=[])


def _path(dataset: Dataset) -> Path:
    return dataset.resources.storage.local_path(f"{dataset.folder_key}/clean.parquet")


def _check_size(before: Dataset, after: Dataset, old: Path, new: Path, plan: _Plan) -> None:
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in (old, new))
    cells = rows * (len(plan.key) + len(plan.values))
    if rows > _MAX_ROWS or cells > _MAX_CELLS:
        raise InvalidInput(
            f"{before.ref} and {after.ref} have {rows:,} rows and {cells:,} cells to compare;"
            f" {_MAX_ROWS:,} and {_MAX_CELLS:,} are compared at once",
            remedy="Compare their reports: GET /api/v1/datasets/{ref}/report; or ingest parts of "
            "the files as data sets of their own.",
        )


# ---- rows


def _rows(
    old: Path, new: Path, plan: _Plan, *, same: bool
) -> tuple[dict[str, int], dict[str, list[Any]]]:
    """Counts, and examples in the order of the tables."""
    sides = [pq.ParquetFile(path).metadata.num_rows for path in (old, new)]
    if same:
        gone = come = changed_old = changed_new = np.zeros(0, dtype=np.int64)
    else:
        gone, come, changed_old, changed_new = _matched(old, new, plan)
    counts = {
        "before": sides[0],
        "after": sides[1],
        "added": len(come),
        "removed": len(gone),
        "changed": len(changed_new),
        "unchanged": sides[1] - len(come) - len(changed_new),
    }
    names = ["row", *plan.key, *plan.values][:_MAX_SHOWN_COLUMNS]
    return counts, {
        "added": take_rows(new, come[:_EXAMPLES], names),
        "removed": take_rows(old, gone[:_EXAMPLES], names),
        "changed": _changes(old, new, plan, changed_old[:_EXAMPLES], changed_new[:_EXAMPLES]),
    }


def _matched(old: Path, new: Path, plan: _Plan) -> tuple[Places, Places, Places, Places]:
    """Places of rows removed, added, and changed (before, after; pair by pair).

    Equal rows cancel each other first, so that repeated keys pair only where something differs.
    """
    keys = [hash_rows(path, plan.key) for path in (old, new)]
    whole = [
        combined(key, hash_rows(path, plan.values))
        for key, path in zip(keys, (old, new), strict=True)
    ]
    left = _unmatched(whole[0], whole[1]), _unmatched(whole[1], whole[0])
    rest = [_numbered(key[places]) for key, places in zip(keys, left, strict=True)]
    _, first, second = np.intersect1d(rest[0], rest[1], return_indices=True)
    order = np.argsort(left[1][second])
    first, second = first[order], second[order]
    return (
        np.delete(left[0], first),
        np.delete(left[1], second),
        left[0][first],
        left[1][second],
    )


def _unmatched(mine: Hashes, theirs: Hashes) -> Places:
    """Places of mine that theirs do not have, as often as I have more of them."""
    return np.flatnonzero(~np.isin(_numbered(mine), _numbered(theirs)))


def _numbered(hashes: Hashes) -> Hashes:
    """The second, third, ... of equal ones become different."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    begins = np.ones(len(hashes), dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(begins)
    within = np.arange(len(hashes)) - np.repeat(starts, np.diff(np.append(starts, len(hashes))))
    numbers = np.empty(len(hashes), dtype=np.uint64)
    numbers[order] = within
    return combined(hashes, mixed(numbers))


def _changes(old: Path, new: Path, plan: _Plan, first: Places, second: Places) -> list[Any]:
    names = ["row", *plan.key, *plan.values]
    pairs = zip(take_rows(old, first, names), take_rows(new, second, names), strict=True)
    return [
        {
            **{name: after[name] for name in plan.key},
            "row_before": before["row"],
            "row": after["row"],
            "values": {
                name: {"before": before[name], "after": after[name]}
                for name in plan.values
                if before[name] != after[name]
            },
        }
        for before, after in pairs
    ]
