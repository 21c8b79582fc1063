"""Similarities, nearest neighbours and Butina clusters against RDKit called directly."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity
from rdkit.ML.Cluster import Butina

from app.chem import similarity
from app.chem.clusters import butina_clusters
from app.chem.similarity import Fingerprints, nearest, tanimoto
from app.core.errors import InvalidInput
from app.splitters import butina
from app.splitters.base import SplitInput, splitters
from tests.support.molecules import standardized_esol

pytestmark = pytest.mark.req("goal-28")


@pytest.fixture(scope="module")
def smiles():
    return [found.smiles for found in standardized_esol(400)]


@pytest.fixture(scope="module")
def vectors(smiles):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, the last of them smaller."""
    monkeypatch.setattr(similarity, "_BLOCK", 400 * 17)


def test_similarities_are_those_of_rdkit(smiles, vectors):
    molecules = Fingerprints.of(smiles)
    expected = [BulkTanimotoSimilarity(vector, vectors) for vector in vectors]
    assert (tanimoto(molecules, molecules) == np.array(expected)).all()


def test_the_nearest_is_that_of_rdkit(smiles, vectors):
    best, places = nearest(Fingerprints.of(smiles[:150]), Fingerprints.of(smiles[150:]))
    for number, vector in enumerate(vectors[:150]):
        expected = BulkTanimotoSimilarity(vector, vectors[150:])
        assert best[number] == max(expected)
        assert places[number] == expected.index(max(expected))


@pytest.mark.parametrize("cutoff", [0.3, 0.6, 0.8])
def test_clusters_are_those_of_rdkit(smiles, vectors, cutoff):
    distances = []
    for place in range(1, len(vectors)):
        found = BulkTanimotoSimilarity(vectors[place], vectors[:place])
        distances.extend(1 - one for one in found)
    expected = Butina.ClusterData(distances, len(vectors), cutoff, isDistData=True)
    found = butina_clusters(Fingerprints.of(smiles), cutoff)
    assert [cluster[0] for cluster in found] == [cluster[0] for cluster in expected]
    assert [set(cluster) for cluster in found] == [set(cluster) for cluster in expected]


def test_no_cluster_is_on_two_sides(smiles):
    rows = SplitInput(smiles=smiles, y=np.zeros((len(smiles), 1)))
    splitter = splitters.get("butina").from_values({"cutoff": 0.5})
    clusters = [set(c) for c in butina_clusters(Fingerprints.of(smiles), 0.5)]
    split = splitter.split(rows, 0)
    sides = [set(part) for part in (split.train, split.validation, split.test)]
    assert all(any(cluster <= side for side in sides) for cluster in clusters)
    for fold in splitter.folds(rows, 0, 5):
        assert all(cluster <= set(fold.train) or cluster <= set(fold.test) for cluster in clusters)


def test_too_many_molecules_are_refused_and_one_cluster_too(smiles, monkeypatch):
    rows = SplitInput(smiles=smiles, y=np.zeros((len(smiles), 1)))
    with pytest.raises(InvalidInput, match="too few clusters"):
        splitters.get("butina").from_values({"cutoff": 0.999}).split(rows, 0)
    monkeypatch.setattr(butina, "MAX_MOLECULES", 399)
    with pytest.raises(InvalidInput, match="too many to cluster"):
        splitters.get("butina").from_values({}).split(rows, 0)
