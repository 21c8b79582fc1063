"""What a chunk computes, in a blob of its own; the blobs of all chunks together, stored."""

from collections.abc import Sequence
from typing import Any, BinaryIO
from uuid import UUID

import numpy as np

from app.core.hashing import content_key
from app.core.requests import PluginSpec
from app.core.work import ChunkResult, WorkContext
from app.features.compute import FeatureSet, MoleculeCache, featurize_smiles, few_at_a_time
from app.features.graphs import Graphs, graphs_of, packed, store_graphs, unpacked
from app.features.matrix import store_features
from app.features.matrix_files import write_features
from app.featurizers.base import Features, Featurizer, GraphFeaturizer
from app.storage import Storage

Kept = Featurizer | GraphFeaturizer


def write_part(
    stream: BinaryIO,
    context: WorkContext,
    featurizer: Kept,
    spec: PluginSpec,
    smiles: Sequence[str],
    cache: MoleculeCache | None,
) -> dict[int, str]:
    """Writes what a chunk's standardized SMILES give; which of them give nothing, and why.

    Raises what `context.raise_if_cancelled` raises, within a few molecules.
    """
    few = few_at_a_time(context, smiles)
    if isinstance(featurizer, GraphFeaturizer):
        graphs = graphs_of(featurizer, (text for some in few for text in some))
        stream.write(packed(featurizer, graphs.graphs))
        return graphs.errors
    single = FeatureSet([spec])
    parts = (featurize_smiles(single, some, cache) for some in few)
    # bits not packed: a worker of another release may put the parts together
    return write_features(stream, featurizer, len(smiles), parts)


def assemble(
    storage: Storage,
    dataset_id: UUID,
    featurizer: Kept,
    rows: int,
    results: Sequence[ChunkResult],
) -> set[int]:
    """The chunks of all `rows`, in order, stored; which rows have no features. Those of a failed
    chunk have its reason and no numbers.
    """
    if isinstance(featurizer, GraphFeaturizer):
        graphs = Graphs(graphs=[], errors={})
        for result in results:
            part = _graphs(storage, featurizer, result)
            start = len(graphs.graphs)
            graphs.errors.update({start + row: why for row, why in part.errors.items()})
            graphs.graphs.extend(part.graphs)
        store_graphs(storage, dataset_id, featurizer, graphs)
        return set(graphs.errors)
    parts = (_features(storage, featurizer, result) for result in results)
    return set(store_features(storage, dataset_id, featurizer, rows, parts))


def _features(storage: Storage, featurizer: Featurizer, result: ChunkResult) -> Features:
    written = _written(featurizer, result)
    if written is None:
        rows, errors = _nothing(result)
        return Features(matrix=featurizer.empty(rows), errors=errors)
    key, errors = written
    matrix = np.load(storage.local_path(key), mmap_mode="r", allow_pickle=False)
    return Features(matrix=matrix, errors=errors)


def _graphs(storage: Storage, featurizer: GraphFeaturizer, result: ChunkResult) -> Graphs:
    written = _written(featurizer, result)
    if written is None:
        rows, errors = _nothing(result)
        return Graphs(graphs=[featurizer.no_graph()] * rows, errors=errors)
    key, errors = written
    return Graphs(graphs=unpacked(storage.read(key)), errors=errors)


def _written(featurizer: Kept, result: ChunkResult) -> tuple[str, dict[int, str]] | None:
    """The blob of a chunk's part and its errors by row of the chunk; None where it has none."""
    if result.state != "succeeded":
        return None
    part: dict[str, Any] | None = result.result["parts"].get(content_key(featurizer.key))
    if part is None:
        return None
    start = result.spec.start_row
    return part["key"], {int(row) - start: why for row, why in part["errors"].items()}


def _nothing(result: ChunkResult) -> tuple[int, dict[int, str]]:
    """How many rows a chunk would have given, and why each has nothing."""
    rows = result.spec.stop_row - result.spec.start_row
    return rows, dict.fromkeys(range(rows), result.reason or "not computed")
