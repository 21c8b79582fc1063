"""Graphs of a data set's molecules in the blob store: ragged, without pickle.

`features/<dataset>/<featurizer key>/graphs.safetensors` holds all molecules one after the other:
`atoms` and `bonds` (float32), `edges` (int32, atoms numbered within their molecule), and where each
molecule ends: `atom_ends`, `edge_ends` (int64). The manifest beside it is written last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from app.core.hashing import content_key
from app.featurizers.base import Graph, GraphFeaturizer
from app.storage import Storage, keys

_FILE = "graphs.safetensors"


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """Of a batch of molecules, in order; a refused one has no atoms."""

    graphs: list[Graph]
    #: row number in the batch -> why there is no graph
    errors: dict[int, str] = field(default_factory=dict)


def graphs_of(featurizer: GraphFeaturizer, smiles: Iterable[str]) -> Graphs:
    """Of standardized SMILES."""
    from app.chem.standardize import parse_standardized

    graphs: list[Graph] = []
    errors: dict[int, str] = {}
    for row, text in enumerate(smiles):
        try:
            graphs.append(featurizer.featurize_one(parse_standardized(text)))
        except (ValueError, RuntimeError) as error:
            errors[row] = f"{featurizer.name}: {error}"
            graphs.append(featurizer.no_graph())
    return Graphs(graphs=graphs, errors=errors)


def packed(featurizer: GraphFeaturizer, graphs: Sequence[Graph]) -> bytes:
    """Equal graphs give equal bytes."""
    from safetensors.numpy import save

    every = [featurizer.no_graph(), *graphs]
    return save(
        {
            "atoms": np.concatenate([graph.atoms for graph in every]),
            "bonds": np.concatenate([graph.bonds for graph in every]),
            "edges": np.concatenate([graph.edges for graph in every], axis=1),
            "atom_ends": np.cumsum([len(graph.atoms) for graph in graphs], dtype=np.int64),
            "edge_ends": np.cumsum([len(graph.bonds) for graph in graphs], dtype=np.int64),
        }
    )


def unpacked(data: bytes) -> list[Graph]:
    from safetensors.numpy import load

    arrays: dict[str, Any] = load(data)
    atoms = np.split(arrays["atoms"], arrays["atom_ends"])[:-1]
    bonds = np.split(arrays["bonds"], arrays["edge_ends"])[:-1]
    edges = np.split(arrays["edges"], arrays["edge_ends"], axis=1)[:-1]
    return [Graph(atoms=a, bonds=b, edges=e) for a, b, e in zip(atoms, bonds, edges, strict=True)]


def store_graphs(
    storage: Storage, dataset_id: UUID, featurizer: GraphFeaturizer, graphs: Graphs
) -> str:
    """Idempotent; the key of the manifest."""
    key = content_key(featurizer.key)
    data = packed(featurizer, graphs.graphs)
    storage.write(keys.features(dataset_id, key, _FILE), data)
    manifest = {
        "featurizer": featurizer.key,
        "atom_columns": featurizer.atom_columns(),
        "bond_columns": featurizer.bond_columns(),
        "rows": len(graphs.graphs),
        "errors": {str(row): why for row, why in graphs.errors.items()},
    }
    manifest_key = keys.features(dataset_id, key, "manifest.json")
    storage.write(manifest_key, orjson.dumps(manifest))
    return manifest_key


def stored_graphs(storage: Storage, dataset_id: UUID, featurizer: GraphFeaturizer) -> Graphs | None:
    """What `store_graphs` wrote for this data set; None when it is not there."""
    key = content_key(featurizer.key)
    manifest_key = keys.features(dataset_id, key, "manifest.json")
    if not storage.exists(manifest_key):
        return None
    manifest = orjson.loads(storage.read(manifest_key))
    errors = {int(row): why for row, why in manifest["errors"].items()}
    return Graphs(
        graphs=unpacked(storage.read(keys.features(dataset_id, key, _FILE))), errors=errors
    )
