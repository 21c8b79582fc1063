"""The split of a data set: computed once, stored with a hash, cited by every model that used it."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.errors import InvalidInput
from app.core.hashing import content_key
from app.core.ids import new_id
from app.datasets.cells import read_cell
from app.datasets.columns import Column, stored_name
from app.datasets.records import Dataset
from app.db.datasets import SplitRow
from app.features.cells import Value
from app.resources import Resources
from app.splitters.base import Indices, Split, SplitInput, Splitter, splitters
from app.storage import keys
from app.training.params import SplitSpec


@dataclass(frozen=True, kw_only=True)
class StoredSplit:
    """A split with what its row in Postgres will say."""

    split: Split
    dataset_id: UUID
    spec: SplitSpec
    #: of splitter, version, parameters, seed, and the labels it may depend on
    params_hash: str
    storage_key: str

    @property
    def sizes(self) -> dict[str, int]:
        return {
            "train": len(self.split.train),
            "validation": len(self.split.validation),
            "test": len(self.split.test),
        }

    def record(self, session: Session, *, tested: bool) -> UUID:
        """Insert the row, or find it; count the use of its test rows."""
        return record_split(
            session,
            {
                "dataset_id": self.dataset_id,
                "splitter": self.spec.name,
                "params": dict(self.spec.params),
                "seed": self.spec.seed,
                "params_hash": self.params_hash,
                "hash": self.split.hash,
                "storage_key": self.storage_key,
                "sizes": self.sizes,
            },
            tested=tested,
        )


def record_split(session: Session, values: dict[str, Any], *, tested: bool) -> UUID:
    """The id of the row of `splits` with these `dataset_id` and `params_hash`, inserted if needed;
    `tested` counts one more use of its test rows.
    """
    session.execute(
        insert(SplitRow)
        .values(id=new_id(), **values)
        .on_conflict_do_nothing(index_elements=["dataset_id", "params_hash"])
    )
    row = session.scalars(
        select(SplitRow)
        .where(
            SplitRow.dataset_id == values["dataset_id"],
            SplitRow.params_hash == values["params_hash"],
        )
        .with_for_update()
    ).one()
    row.test_uses += int(tested)
    session.flush()
    return row.id


def split_dataset(
    resources: Resources, dataset: Dataset, spec: SplitSpec, y: NDArray[np.float64]
) -> StoredSplit:
    """Rows without any label are on no side. Raises InvalidInput when it cannot be split so."""
    splitter = splitters.get(spec.name).from_values(dict(spec.params))
    labelled = np.flatnonzero(np.isfinite(y).any(axis=1))
    params_hash = content_key(
        {**splitter.key, "seed": spec.seed, "labels": content_key([y[labelled].tobytes().hex()])}
    )
    storage_key = keys.split(dataset.id, params_hash)
    if resources.storage.exists(storage_key):
        split = read_split(resources.storage.read(storage_key))
    else:
        split = _of(labelled, splitter.split(_input(dataset, splitter, y, labelled), spec.seed))
        resources.storage.write(storage_key, _written(split))
    return StoredSplit(
        split=split,
        dataset_id=dataset.id,
        spec=spec,
        params_hash=params_hash,
        storage_key=storage_key,
    )


def fold_dataset(
    dataset: Dataset,
    spec: SplitSpec,
    y: NDArray[np.float64],
    rows: Indices,
    *,
    seed: int,
    n: int,
) -> list[Split]:
    """Cross-validation inside `rows` by the splitter of `spec`; `spec.seed` plays no part.

    `y`: (data set's rows, targets); `rows`: ascending row indices of the data set (of its table,
    from 0), e.g. train and validation of a split; those without any label are in no fold. Gives
    splits of the same kind of indices, validation empty, test parts disjoint and never empty; at
    most `n`, fewer where the rule makes fewer parts. Another seed is another repeat. Raises
    InvalidInput when not even two folds can be made.
    """
    splitter = splitters.get(spec.name).from_values(dict(spec.params))
    labelled = rows[np.isfinite(y[rows]).any(axis=1)]
    local = splitter.folds(_input(dataset, splitter, y, labelled), seed, n)
    return [_of(labelled, fold) for fold in local]


def testable_rows(
    dataset: Dataset, spec: SplitSpec, y: NDArray[np.float64], rows: Indices
) -> Indices:
    """Those of `rows` that a split by `spec` may test: of a scaffold split not the largest
    scaffold, which always trains. All of them where these are none.
    """
    splitter = splitters.get(spec.name).from_values(dict(spec.params))
    found = rows[splitter.testable(_input(dataset, splitter, y, rows))]
    return found if len(found) else rows


def _input(
    dataset: Dataset, splitter: Splitter, y: NDArray[np.float64], rows: Indices
) -> SplitInput:
    return SplitInput(
        smiles=[dataset.smiles[row] for row in rows] if dataset.smiles else [],
        y=y[rows],
        column=column_cells(dataset, getattr(splitter.params, "column", None), rows),
    )


def _of(rows: Indices, local: Split) -> Split:
    """A split of some rows, as one of the data set that they come from."""
    return Split(train=rows[local.train], validation=rows[local.validation], test=rows[local.test])


def column_cells(dataset: Dataset, name: str | None, rows: NDArray[np.int64]) -> list[Value] | None:
    """The cells of a column, read by its type; None when the data set did not keep it."""
    column = next((one for one in dataset.columns if one["name"] == name), None)
    if column is None or stored_name(column["name"]) not in dataset.table.column_names:
        return None
    values = dataset.values(column["name"])
    return [_cell(column, values[row], int(row)) for row in rows]


def _cell(column: dict[str, Any], value: Value, row: int) -> Value:
    """Identifiers and split columns are stored as they were written."""
    if not isinstance(value, str):
        return value
    found, why = read_cell(cast("Column", column), value)
    if why is not None:
        raise InvalidInput(
            f"row {row + 1}: {why}",
            code="bad_split_column",
            remedy="Correct the file, or split by another column.",
        )
    return found


def _written(split: Split) -> bytes:
    return orjson.dumps(
        {
            "hash": split.hash,
            "train": split.train.tolist(),
            "validation": split.validation.tolist(),
            "test": split.test.tolist(),
        }
    )


def read_split(data: bytes) -> Split:
    """What is stored under a split's key."""
    stored = orjson.loads(data)
    return Split(
        **{
            part: np.asarray(stored[part], dtype=np.int64)
            for part in ("train", "validation", "test")
        }
    )
