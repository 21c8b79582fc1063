"""featurize jobs of tokens and graphs: what no algorithm takes is stored for other programs."""

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.core.requests import PluginSpec
from app.core.work import SilentContext
from app.datasets.records import load_dataset
from app.features.graphs import stored_graphs
from app.features.matrix import stored_features
from app.features.params import FeaturizeParams
from app.featurization import service
from app.featurizers.base import featurizers
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested, job_context
from tests.support.inprocess import run_fan_out
from tests.support.molecules import standardized_esol

SMILES = sorted({found.smiles for found in standardized_esol(700)})
FEATURES = (
    PluginSpec(name="molecular_graph"),
    PluginSpec(name="smiles_tokens", params={"max_length": 24}),
    PluginSpec(name="maccs"),
)


@pytest.fixture
def dataset_id(resources):
    lines = "".join(f"{smiles},{len(smiles)}\n" for smiles in SMILES)
    return ingested(resources, "smiles,y\n" + lines, name="d")[0]


@pytest.fixture
def params(dataset_id):
    return FeaturizeParams(dataset="d", dataset_id=dataset_id, features=FEATURES)


def graph_of(smiles):
    from rdkit import Chem

    return featurizers.get("molecular_graph")().featurize_one(Chem.MolFromSmiles(smiles))


def test_each_row_is_stored_whatever_its_size(resources, params, dataset_id):
    """Two chunks; the atoms of every molecule are its own."""
    context = SilentContext(project_id=PROJECT)
    outcome = run_fan_out(service, resources, context, params)
    graph, tokens, maccs = (featurizers.get(s.name).from_values(s.params) for s in FEATURES)
    smiles = load_dataset(resources, dataset_id).smiles
    found = stored_graphs(resources.storage, dataset_id, graph)
    assert found.errors == {}
    assert len(found.graphs) == len(smiles) > 500
    for row in (0, 1, 499, 500, len(smiles) - 1):
        expected = graph_of(smiles[row])
        np.testing.assert_array_equal(found.graphs[row].atoms, expected.atoms)
        np.testing.assert_array_equal(found.graphs[row].edges, expected.edges)
    stored = stored_features(resources.storage, dataset_id, tokens)
    assert stored.matrix.dtype == np.int32
    assert stored.matrix.shape == (len(smiles), 24)
    assert stored.errors
    assert all("more than max_length 24" in why for why in stored.errors.values())
    assert not stored.matrix[list(stored.errors)].any()
    assert outcome.counts["rows_failed"] == len(stored.errors)
    assert stored_features(resources.storage, dataset_id, maccs).matrix.shape[1] == 166
    again = run_fan_out(service, resources, SilentContext(project_id=PROJECT), params)
    assert again.result["cached"] is True
    assert again.result["width"] == 72 + 13 + 24 + 166


def test_rows_of_a_failed_chunk_have_its_reason_and_no_atoms(resources, params, dataset_id):
    outcome = run_fan_out(service, resources, SilentContext(project_id=PROJECT), params, fail=(0,))
    found = stored_graphs(resources.storage, dataset_id, featurizers.get("molecular_graph")())
    assert set(found.errors) == set(range(500))
    assert {len(graph.atoms) for graph in found.graphs[:500]} == {0}
    assert all(len(graph.atoms) for graph in found.graphs[500:])
    for spec in FEATURES[1:]:
        matrix = featurizers.get(spec.name).from_values(spec.params)
        stored = stored_features(resources.storage, dataset_id, matrix)
        assert {stored.errors[row] for row in range(500)} == {"it crashed"}
        assert not stored.matrix[:500].any()
        assert stored.matrix[500:].any(axis=1).all() == (spec.name == "maccs")
    assert outcome.counts["rows_failed"] >= 500


def test_the_same_request_gives_the_same_bytes(resources, params, dataset_id):
    files = []
    for _ in range(2):
        run_fan_out(service, resources, SilentContext(project_id=PROJECT), params)
        keys = sorted(resources.storage.list(f"features/{dataset_id}"))
        assert len(keys) == 7, "a file and a manifest each, and one of the set"
        files.append({key: resources.storage.read(key) for key in keys})
        assert resources.storage.delete(f"features/{dataset_id}") == 7
    assert files[0] == files[1]


@pytest.mark.parametrize("name", ["molecular_graph", "smiles_tokens"])
def test_a_worker_too_refuses_to_learn_from_them(resources, dataset_id, name):
    """A request that came by another way than the gateway."""
    params = TrainParams(dataset="d", dataset_id=dataset_id, features=({"name": name},))
    with pytest.raises(InvalidInput, match="no matrix of numbers"):
        training.run(resources, job_context(resources, "train"), params)
