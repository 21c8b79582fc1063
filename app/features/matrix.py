"""A data set's features in the blob store: computed once, memory-mapped ever after.

Stored per featurizer, not per set, so that any later concatenation reuses what is there
(`features/<dataset>/<featurizer key>/`). Bits are packed. The manifest is written last: what has
no manifest does not exist.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from app.core.hashing import content_key
from app.core.work import WorkContext
from app.features.compute import FeatureSet, MoleculeCache, featurize_smiles, few_at_a_time
from app.features.fingerprints import fingerprint_set
from app.features.matrix_files import write_features
from app.featurizers.base import AnyFeaturizer, Features, Featurizer
from app.resources import Resources
from app.storage import Storage, keys


def molecule_cache(resources: Resources) -> MoleculeCache:
    return MoleculeCache(resources.cache, ttl_seconds=resources.settings.feature_cache_ttl_seconds)


@dataclass(frozen=True, kw_only=True)
class DatasetFeatures:
    """A data set's whole matrix, row by row of clean.parquet."""

    #: (rows, width) uint8 or float32
    matrix: NDArray[Any]
    #: row -> why it has no numbers
    errors: dict[int, str] = field(default_factory=dict)
    #: everything came from the blob store
    cached: bool = False


def stored_features(storage: Storage, dataset_id: UUID, featurizer: Featurizer) -> Features | None:
    """What `store_features` wrote for this data set; None when it is not there."""
    key = content_key(featurizer.key)
    manifest_key = keys.features(dataset_id, key, "manifest.json")
    if not storage.exists(manifest_key):
        return None
    manifest = orjson.loads(storage.read(manifest_key))
    path = storage.local_path(keys.features(dataset_id, key, "matrix.npy"))
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    if featurizer.output == "bits":
        matrix = np.unpackbits(matrix, axis=1, count=featurizer.width)
    errors = {int(row): why for row, why in manifest["errors"].items()}
    return Features(matrix=matrix, errors=errors)


def store_features(
    storage: Storage,
    dataset_id: UUID,
    featurizer: Featurizer,
    rows: int,
    parts: Iterable[Features],
) -> dict[int, str]:
    """Of `rows` molecules in order, some in each part; which of all have no features, and why.

    Idempotent; raises ValueError where the parts have more or fewer rows.
    """
    key = content_key(featurizer.key)
    bits = featurizer.output == "bits"
    with storage.writer(keys.features(dataset_id, key, "matrix.npy")) as stream:
        errors = write_features(stream, featurizer, rows, parts, packed=bits)
    manifest = {
        "featurizer": featurizer.key,
        "columns": featurizer.columns(),
        "rows": rows,
        "packed": bits,
        "errors": {str(row): why for row, why in errors.items()},
    }
    storage.write(keys.features(dataset_id, key, "manifest.json"), orjson.dumps(manifest))
    return errors


AnyT = TypeVar("AnyT", bound=AnyFeaturizer)


def missing_featurizers(
    storage: Storage, dataset_id: UUID, featurizers: Sequence[AnyT]
) -> list[AnyT]:
    """Those whose features of the data set are not stored yet."""
    return [
        featurizer
        for featurizer in featurizers
        if not storage.exists(
            keys.features(dataset_id, content_key(featurizer.key), "manifest.json")
        )
    ]


def dataset_matrix(
    resources: Resources,
    context: WorkContext,
    dataset_id: UUID,
    smiles: Sequence[str],
    feature_set: FeatureSet,
) -> DatasetFeatures:
    """The whole matrix; what is not stored yet is computed here, one process, and stored."""
    storage = resources.storage
    missing = missing_featurizers(storage, dataset_id, feature_set.featurizers)
    for featurizer in missing:
        parts = _computed(resources, context, featurizer, feature_set, smiles)
        store_features(storage, dataset_id, featurizer, len(smiles), parts)
    matrix = np.empty((len(smiles), feature_set.width), dtype=feature_set.dtype)
    errors: dict[int, str] = {}
    column = 0
    for featurizer in feature_set.featurizers:
        part = stored_features(storage, dataset_id, featurizer)
        if part is None:
            raise RuntimeError(f"features of {featurizer.name} vanished from the blob store")
        matrix[:, column : column + featurizer.width] = part.matrix
        errors |= part.errors
        column += featurizer.width
    return DatasetFeatures(matrix=matrix, errors=errors, cached=not missing)


def _computed(
    resources: Resources,
    context: WorkContext,
    featurizer: Featurizer,
    feature_set: FeatureSet,
    smiles: Sequence[str],
) -> Iterator[Features]:
    spec = feature_set.specs[feature_set.of_molecules.index(featurizer)]
    single, cache = FeatureSet([spec]), molecule_cache(resources)
    done = 0
    for few in few_at_a_time(context, smiles):
        context.progress(
            done, len(smiles), unit="molecule", stage="featurize", message=featurizer.name
        )
        yield featurize_smiles(single, few, cache)
        done += len(few)


def dataset_fingerprints(
    resources: Resources, context: WorkContext, dataset_id: UUID, smiles: Sequence[str]
) -> NDArray[np.uint8]:
    """(rows, 2048) of a stored data set; see app/features/fingerprints.py."""
    return dataset_matrix(resources, context, dataset_id, smiles, fingerprint_set()).matrix
