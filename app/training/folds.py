"""k-fold and repeated k-fold as stored objects: row ids and a hash that results cite."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy.orm import Session

from app.core.hashing import content_key
from app.datasets.records import Dataset
from app.splitters.base import Split, splitters
from app.storage import Storage, keys
from app.training.params import SplitSpec
from app.training.splitting import record_split

#: of each repeat its folds
Repeats = Sequence[Sequence[Split]]


@dataclass(frozen=True, kw_only=True)
class StoredFolds:
    """What a row of `splits` says of folds; the rows themselves lie under `storage_key`."""

    dataset_id: UUID
    spec: SplitSpec
    repeats: Repeats
    storage_key: str

    @cached_property
    def hash(self) -> str:
        """Equal for equal folds in equal order."""
        return folds_hash(self.repeats)

    @property
    def sizes(self) -> dict[str, int]:
        """`rows`: those that take part."""
        first = self.repeats[0]
        rows = np.unique(np.concatenate([part for f in first for part in (f.train, f.test)]))
        return {"folds": len(first), "repeats": len(self.repeats), "rows": len(rows)}

    def record(self, session: Session) -> UUID:
        """Insert the row, or find it."""
        values = {
            "dataset_id": self.dataset_id,
            "splitter": self.spec.name,
            "params": dict(self.spec.params),
            "seed": self.spec.seed,
            "params_hash": params_hash(self.spec, self.repeats),
            "hash": self.hash,
            "storage_key": self.storage_key,
            "sizes": self.sizes,
        }
        return record_split(session, values, tested=False)


def store_folds(
    storage: Storage, dataset: Dataset, spec: SplitSpec, repeats: Repeats
) -> StoredFolds:
    """Idempotent. `repeats`: as `fold_dataset` gave them, by this spec."""
    key = keys.split(dataset.id, params_hash(spec, repeats))
    if not storage.exists(key):
        storage.write(key, _written(repeats))
    return StoredFolds(dataset_id=dataset.id, spec=spec, repeats=repeats, storage_key=key)


def read_folds(data: bytes) -> list[list[Split]]:
    """What is stored under the key of folds."""
    empty = np.empty(0, dtype=np.int64)
    return [
        [
            Split(
                train=np.asarray(fold["train"], dtype=np.int64),
                validation=empty,
                test=np.asarray(fold["test"], dtype=np.int64),
            )
            for fold in folds
        ]
        for folds in orjson.loads(data)["repeats"]
    ]


def folds_hash(repeats: Repeats) -> str:
    return content_key([[fold.hash for fold in folds] for folds in repeats])


def params_hash(spec: SplitSpec, repeats: Repeats) -> str:
    """Of splitter, version, parameters, seed and the folds themselves."""
    splitter = splitters.get(spec.name).from_values(dict(spec.params))
    key: dict[str, Any] = {**splitter.key, "seed": spec.seed, "folds": folds_hash(repeats)}
    return content_key(key)


def _written(repeats: Repeats) -> bytes:
    return orjson.dumps(
        {
            "hash": folds_hash(repeats),
            "repeats": [
                [{"train": fold.train.tolist(), "test": fold.test.tolist()} for fold in folds]
                for folds in repeats
            ],
        }
    )
