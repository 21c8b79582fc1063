"""What a chunk computes, as bytes of a blob; the blobs of all chunks together, stored."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from app.core.hashing import content_key
from app.core.requests import PluginSpec
from app.core.work import ChunkResult, WorkContext
from app.features.compute import FeatureSet, MoleculeCache, featurize_smiles
from app.features.graphs import Graphs, graphs_of, packed, store_graphs, unpacked
from app.features.matrix import store_features
from app.featurizers.base import Features, Featurizer, Graph, GraphFeaturizer
from app.storage import Storage

Kept = Featurizer | GraphFeaturizer

#: molecules between two looks at whether the job is cancelled
_STEP = 100


def computed(
    context: WorkContext,
    featurizer: Kept,
    spec: PluginSpec,
    smiles: Sequence[str],
    cache: MoleculeCache | None,
) -> tuple[bytes, dict[int, str]]:
    """Of a chunk's molecules: what its blob holds, and why some rows have nothing."""
    parts: list[Any] = []
    errors: dict[int, str] = {}
    single = FeatureSet([spec])
    for start in range(0, len(smiles), _STEP):
        context.raise_if_cancelled()
        batch = smiles[start : start + _STEP]
        if isinstance(featurizer, GraphFeaturizer):
            graphs = graphs_of(featurizer, batch)
            parts += graphs.graphs
            found = graphs.errors
        else:
            features = featurize_smiles(single, batch, cache)
            parts.append(features.matrix)
            found = features.errors
        errors |= {start + row: why for row, why in found.items()}
    if isinstance(featurizer, GraphFeaturizer):
        return packed(featurizer, parts), errors
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate(parts), allow_pickle=False)
    return buffer.getvalue(), errors


def assemble(
    storage: Storage,
    dataset_id: UUID,
    featurizer: Kept,
    rows: int,
    results: Sequence[ChunkResult],
) -> set[int]:
    """Chunks in their places, stored; rows without features. Rows of a failed chunk have its reason
    and no numbers.
    """
    name = content_key(featurizer.key)
    errors: dict[int, str] = {}
    for result in results:
        part = _part(result, name)
        if part is None:
            span = range(result.spec.start_row, result.spec.stop_row)
            errors |= dict.fromkeys(span, result.reason or "not computed")
        else:
            errors |= {int(row): why for row, why in part["errors"].items()}
    blobs = _blobs(name, results)
    if isinstance(featurizer, GraphFeaturizer):
        graphs = _graphs(featurizer, rows, ((start, storage.read(key)) for start, key in blobs))
        store_graphs(storage, dataset_id, featurizer, Graphs(graphs=graphs, errors=errors))
    else:
        matrix = featurizer.empty(rows)
        for start, key in blobs:
            part_matrix = np.load(storage.local_path(key), mmap_mode="r", allow_pickle=False)
            matrix[start : start + len(part_matrix)] = part_matrix
        features = Features(matrix=matrix, errors=errors)
        store_features(storage, dataset_id, featurizer, features)
    return set(errors)


def _graphs(
    featurizer: GraphFeaturizer, rows: int, blobs: Iterable[tuple[int, bytes]]
) -> list[Graph]:
    graphs = [featurizer.no_graph()] * rows
    for start, data in blobs:
        found = unpacked(data)
        graphs[start : start + len(found)] = found
    return graphs


def _blobs(name: str, results: Sequence[ChunkResult]) -> Iterator[tuple[int, str]]:
    """First row and key of each chunk that was computed."""
    for result in results:
        part = _part(result, name)
        if part is not None:
            yield result.spec.start_row, part["key"]


def _part(result: ChunkResult, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (
        result.result["parts"].get(name) if result.state == "succeeded" else None
    )
    return found
