"""featurize: a data set's feature matrix, computed in parallel and kept for every later use."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from app.core.errors import InvalidInput
from app.core.hashing import content_key
from app.core.requests import PluginSpec
from app.core.work import ChunkResult, ChunkSpec, FanOut, Outcome, WorkContext
from app.datasets.records import load_dataset
from app.features.compute import FeatureSet
from app.features.matrix import missing_featurizers, molecule_cache
from app.features.params import FeaturizeParams
from app.featurization.parts import Kept, assemble, write_part
from app.resources import Resources
from app.storage import keys

_ROWS_PER_CHUNK = 500
_MAX_CHUNKS = 200


def plan(resources: Resources, context: WorkContext, params: FeaturizeParams) -> FanOut:
    """Chunks of rows; none when every featurizer's matrix is stored already."""
    del context
    dataset = load_dataset(resources, _dataset_id(params))
    feature_set = FeatureSet(params.features)
    if not dataset.smiles or feature_set.column_featurizers:
        raise InvalidInput(
            "columns of a table are encoded inside each training, from its training rows alone",
            code="features_do_not_fit",
            remedy="Train at once; name featurizers of molecules for a data set of molecules.",
        )
    if not _missing(resources, params, dataset.id):
        return FanOut(chunks=[])
    rows = len(dataset.smiles)
    size = max(_ROWS_PER_CHUNK, -(-rows // _MAX_CHUNKS))
    return FanOut(
        chunks=[
            ChunkSpec(source={}, start_row=start, stop_row=min(start + size, rows))
            for start in range(0, rows, size)
        ]
    )


def run_chunk(
    resources: Resources, context: WorkContext, params: FeaturizeParams, chunk: ChunkSpec
) -> dict[str, Any]:
    """One blob per featurizer that is missing."""
    dataset = load_dataset(resources, _dataset_id(params))
    smiles = dataset.smiles[chunk.start_row : chunk.stop_row]
    cache = molecule_cache(resources)
    written: dict[str, Any] = {}
    started = time.perf_counter()
    for featurizer, spec in _missing(resources, params, dataset.id):
        key = _part_key(context, featurizer, chunk.start_row)
        with resources.storage.writer(key) as stream:
            errors = write_part(stream, context, featurizer, spec, smiles, cache)
        written[content_key(featurizer.key)] = {
            "key": key,
            "errors": {str(chunk.start_row + row): why for row, why in errors.items()},
        }
    return {
        "parts": written,
        "hits": cache.hits,
        "seconds": round(time.perf_counter() - started, 3),
    }


def finalize(
    resources: Resources,
    context: WorkContext,
    params: FeaturizeParams,
    results: Sequence[ChunkResult],
) -> Outcome:
    dataset = load_dataset(resources, _dataset_id(params))
    feature_set = FeatureSet(params.features)
    rows = len(dataset.smiles)
    failed: set[int] = set()
    for featurizer, _ in _missing(resources, params, dataset.id):
        context.raise_if_cancelled()
        failed |= assemble(resources.storage, dataset.id, featurizer, rows, results)
    manifest_key = keys.features(dataset.id, feature_set.key, "set.json")
    manifest = {
        "dataset": dataset.ref,
        "featurizers": [featurizer.key for featurizer in feature_set.of_molecules],
        "width": sum(featurizer.width for featurizer in feature_set.of_molecules),
        "rows": rows,
    }
    resources.storage.write(manifest_key, orjson.dumps(manifest))
    return Outcome(
        result={
            "dataset_id": str(dataset.id),
            "key": feature_set.key,
            "width": manifest["width"],
            "rows": rows,
            "failed": len(failed),
            "cached": not results,
            "cache_hits": sum(result.result.get("hits", 0) for result in results),
            "cpu_seconds": round(sum(r.result.get("seconds", 0.0) for r in results), 3),
            "manifest_key": manifest_key,
        },
        counts={"rows_total": rows, "rows_ok": rows - len(failed), "rows_failed": len(failed)},
    )


def _missing(
    resources: Resources, params: FeaturizeParams, dataset_id: UUID
) -> list[tuple[Kept, PluginSpec]]:
    feature_set = FeatureSet(params.features)
    every = feature_set.of_molecules
    missing = {id(f) for f in missing_featurizers(resources.storage, dataset_id, every)}
    pairs = zip(every, feature_set.specs, strict=True)
    return [(featurizer, spec) for featurizer, spec in pairs if id(featurizer) in missing]


def _part_key(context: WorkContext, featurizer: Kept, start: int) -> str:
    name = f"features/{content_key(featurizer.key)}/{start}.npy"
    return keys.work(context.job_id, context.attempt, name)


def _dataset_id(params: FeaturizeParams) -> UUID:
    if params.dataset_id is None:
        raise InvalidInput("a featurize job needs a data set")
    return params.dataset_id
