"""The nearest rows are those that RDKit and scikit-learn find."""

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from app.uncertainty.euclidean import EuclideanIndex
from app.uncertainty.tanimoto import TanimotoIndex
from tests.support.molecules import rows_of

MOLECULES = [row["smiles"] for row in rows_of("esol.csv")][:300]
GENERATOR = GetMorganGenerator(radius=2, fpSize=2048)
FINGERPRINTS = [GENERATOR.GetFingerprint(Chem.MolFromSmiles(s)) for s in MOLECULES]
BITS = np.array([list(f) for f in FINGERPRINTS], dtype=np.uint8)


@pytest.mark.req("U-08")
@pytest.mark.parametrize("table_rows", [0, 4096])
def test_similarities_are_rdkits(table_rows, monkeypatch):
    """By the lists of bits that many references have, and by the table that few have."""
    monkeypatch.setattr("app.uncertainty.tanimoto._TABLE_ROWS", table_rows)
    index = TanimotoIndex(BITS[100:])
    for query in range(100):
        expected = DataStructs.BulkTanimotoSimilarity(FINGERPRINTS[query], FINGERPRINTS[100:])
        assert index.similarity(BITS[query]) == pytest.approx(expected, abs=1e-12)


def test_the_most_similar_come_first():
    found = TanimotoIndex(BITS[100:]).nearest(BITS[:100], 5)
    for query in range(100):
        expected = np.array(
            DataStructs.BulkTanimotoSimilarity(FINGERPRINTS[query], FINGERPRINTS[100:])
        )
        assert found.similarity[query] == pytest.approx(np.sort(expected)[::-1][:5], abs=1e-12)
        assert found.similarity[query] == pytest.approx(expected[found.places[query]], abs=1e-12)


@pytest.mark.parametrize("table_rows", [0, 4096])
def test_a_molecule_without_bits_is_nearest_to_its_like(table_rows, monkeypatch):
    monkeypatch.setattr("app.uncertainty.tanimoto._TABLE_ROWS", table_rows)
    bits = np.vstack([BITS[:2], np.zeros(2048, dtype=np.uint8)])
    found = TanimotoIndex(bits).nearest(np.zeros((1, 2048), dtype=np.uint8), 2)
    assert found.places[0].tolist() == [2, 0]
    assert found.similarity[0].tolist() == [1.0, 0.0]


def test_memory_is_told_with_the_table_that_questions_have_made():
    index = TanimotoIndex(BITS)
    n, width = BITS.shape
    lists = 4 * int(BITS.sum()) + 8 * (width + 1) + 8 * n
    assert index.memory_bytes == lists
    index.nearest(BITS[:1], 3)
    assert index.memory_bytes == lists + n * width
    index.nearest(BITS[:100], 3)
    assert index.memory_bytes == lists + n * width
    assert EuclideanIndex(np.eye(5)).memory_bytes == 4 * 5 * 5


def test_fewer_references_than_asked_for():
    found = TanimotoIndex(BITS[:2]).nearest(BITS[:3], 5)
    assert found.places.shape == (3, 2)


def test_rows_of_a_table_by_scaled_distance():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 4)) * [1, 10, 100, 1000]).astype(np.float32)
    found = EuclideanIndex(X[50:]).nearest(X[:50], 3)
    scaler = StandardScaler().fit(X[50:])
    expected = NearestNeighbors(n_neighbors=3).fit(scaler.transform(X[50:]))
    distance, places = expected.kneighbors(scaler.transform(X[:50]))
    assert found.places.tolist() == places.tolist()
    assert found.similarity == pytest.approx(1 / (1 + distance / 2), rel=1e-3)


@pytest.mark.parametrize("references", [3, 700])
def test_many_fingerprints_at_once_get_what_each_gets_alone(references, monkeypatch):
    """Places, ties and values to the last bit, over several blocks; bits of none included."""
    monkeypatch.setattr("app.uncertainty.tanimoto._BLOCK", 70 * references)
    random = np.random.default_rng(7)
    known = (random.random((references, 256)) < 0.05).astype(np.uint8)
    known[::5] = known[0]
    queries = np.concatenate(
        [(random.random((150, 256)) < 0.05).astype(np.uint8), known[:3], np.zeros((1, 256), "u1")]
    )
    index = TanimotoIndex(known)
    together = index.nearest(queries, 5)
    alone = [index.nearest(query[None], 5) for query in queries]
    assert np.array_equal(together.places, np.concatenate([one.places for one in alone]))
    assert np.array_equal(together.similarity, np.concatenate([one.similarity for one in alone]))


@pytest.mark.parametrize("on", [255, 256, 2048])
def test_more_bits_in_common_than_a_byte_holds(on):
    """64 queries are answered together; their own fingerprint is among the references."""
    query = np.zeros(2048, dtype=np.uint8)
    query[:on] = 1
    found = TanimotoIndex(np.vstack([BITS[:2], query])).nearest(np.tile(query, (64, 1)), 1)
    assert (found.places == 2).all()
    assert (found.similarity == 1.0).all()


def test_fractions_as_close_as_2048_bits_allow_are_told_apart():
    """1,023/2,045 lies 2e-7 above 1,024/2,047; wider fingerprints are ranked one by one."""
    query = np.zeros(2048, dtype=np.uint8)
    query[:2000] = 1
    known = np.zeros((80, 2048), dtype=np.uint8)
    known[::2, :1023] = known[::2, 2000:2045] = 1
    known[1::2, :1024] = known[1::2, 2000:2047] = 1
    found = TanimotoIndex(known).nearest(np.tile(query, (64, 1)), 41)
    order = [*range(0, 80, 2), 1]
    assert (found.places == order).all()
    assert found.similarity[0, [0, -1]].tolist() == [1023 / 2045, 1024 / 2047]
    wide = TanimotoIndex(np.hstack([known] * 2)).nearest(np.tile(query, (64, 2)), 41)
    assert (wide.places == order).all()
