"""The folds of a comparison: cut once, from rows that every candidate has features of."""

import io
from collections.abc import Sequence
from uuid import UUID

import numpy as np

from app.comparison.params import CompareParams
from app.splitters.base import Indices, Split
from app.storage import Storage, keys
from app.training.material import LabelledRows
from app.training.splitting import fold_dataset

#: of each repeat
Folds = list[list[Split]]


def cut(params: CompareParams, rows: LabelledRows, featureless: frozenset[int]) -> Folds:
    """Of each repeat by another seed; one that is the same as an earlier one (a rule that knows no
    chance) is left out: it would count the same evidence twice. Raises InvalidInput.
    """
    usable: Indices = np.asarray(
        [row for row in range(rows.dataset.size) if row not in featureless], dtype=np.int64
    )
    folds: Folds = []
    seen: set[tuple[str, ...]] = set()
    for repeat in range(params.repeats):
        found = fold_dataset(
            rows.dataset,
            params.split,
            rows.labels.y,
            usable,
            seed=params.split.seed + repeat,
            n=params.folds,
        )
        hashes = tuple(sorted(fold.hash for fold in found))
        if hashes not in seen:
            seen.add(hashes)
            folds.append(found)
    return folds


def test_to_train(folds: Folds) -> float:
    """Test rows for each training row, on average over all folds."""
    each = [len(fold.test) / len(fold.train) for repeat in folds for fold in repeat]
    return float(np.mean(each))


def store(storage: Storage, job_id: UUID, attempt: int, folds: Sequence[Sequence[Split]]) -> None:
    """For the chunks of the job."""
    arrays = {
        f"{r}-{f}-{part}": getattr(fold, part).astype(np.int64)
        for r, repeat in enumerate(folds)
        for f, fold in enumerate(repeat)
        for part in ("train", "test")
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    storage.write(_key(job_id, attempt), buffer.getvalue())


def stored(storage: Storage, job_id: UUID, attempt: int) -> Folds:
    """What the plan of this attempt has stored."""
    with np.load(io.BytesIO(storage.read(_key(job_id, attempt))), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    folds: Folds = []
    for name, train in arrays.items():
        repeat, fold, part = name.split("-")
        if part == "test":
            continue
        if int(repeat) == len(folds):
            folds.append([])
        folds[int(repeat)].append(
            Split(train=train, validation=train[:0], test=arrays[f"{repeat}-{fold}-test"])
        )
    return folds


def _key(job_id: UUID, attempt: int) -> str:
    return keys.work(job_id, attempt, "folds.npz")
