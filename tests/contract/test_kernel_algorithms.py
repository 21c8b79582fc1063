"""Algorithms that compare rows with each other: similarities by hand and by scikit-learn, the
Gaussian process by its formulas."""

import numpy as np
import pytest
from scipy.linalg import solve
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.metrics import jaccard_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.algorithms.neighbourhood import Neighbourhood
from app.algorithms.tanimoto import Counts, count_columns, tanimoto
from app.core.errors import InvalidInput

RNG = np.random.default_rng(4)
COUNTS = RNG.poisson(0.6, size=(80, 30)).astype(np.uint8)
TRUTH = COUNTS[:, :5].sum(axis=1) + RNG.normal(scale=0.2, size=80)
REGRESSION = LearningTask(type="regression", targets=("y",))
MULTI = LearningTask(type="multiclass", targets=("y",), classes=(("a", "b", "c"),))


def fit(name, X, y, task=REGRESSION, **values):
    algorithm = algorithms.get(name).from_values(values)
    return algorithm.fit(task, Examples(X=X, y=y[:, None].astype(float)), None, FitContext())


def by_hand(a, b):
    a, b = a.astype(int), b.astype(int)
    return np.minimum(a, b).sum() / np.maximum(a, b).sum()


def test_tanimoto_of_counts_is_smaller_by_larger():
    found = tanimoto(COUNTS[:20], COUNTS[20:50])
    expected = [[by_hand(a, b) for b in COUNTS[20:50]] for a in COUNTS[:20]]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tanimoto_of_bits_is_rdkits():
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=512)
    molecules = [Chem.MolFromSmiles(s) for s in ("CCO", "CCCO", "c1ccccc1O", "CC(=O)Nc1ccccc1")]
    vectors = [generator.GetFingerprint(molecule) for molecule in molecules]
    rows = np.array([generator.GetFingerprintAsNumPy(molecule) for molecule in molecules])
    expected = [DataStructs.BulkTanimotoSimilarity(v, vectors) for v in vectors]
    np.testing.assert_allclose(tanimoto(rows, rows), expected, atol=1e-12)
    assert tanimoto(rows, rows)[0, 2] == pytest.approx(jaccard_score(rows[0], rows[2]))


def test_two_empty_rows_are_the_same():
    empty = np.zeros((1, 3), np.uint8)
    assert tanimoto(empty, np.array([[0, 0, 0], [0, 1, 0]], np.uint8)).tolist() == [[1.0, 0.0]]


def test_counts_that_training_did_not_reach_make_a_row_less_alike():
    counts = Counts.fit(np.array([[1, 2], [0, 1]], np.float32))
    found = counts.similarity(np.array([[5.0, 2.0]]))
    np.testing.assert_allclose(found, [[(1 + 2) / (5 + 2), (0 + 1) / (5 + 2)]])


def test_only_columns_of_counts_are_compared():
    X = np.array([[1, 0.5, 0, -1, 300, np.nan], [2, 1.0, 0, 1, 0, 1]], np.float32)
    assert count_columns(X).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_by_tanimoto_are_scikit_learns(weights):
    found = fit("k_neighbors", COUNTS[:60], TRUTH[:60], weights=weights).predict(COUNTS[60:])
    expected = KNeighborsRegressor(5, weights=weights, metric="precomputed")
    expected.fit(1 - tanimoto(COUNTS[:60], COUNTS[:60]), TRUTH[:60])
    distances = 1 - tanimoto(COUNTS[60:], COUNTS[:60])
    ties = np.sort(distances, axis=1)
    clear = ties[:, 4] < ties[:, 5]  # which of two equals is the fifth is nobody's to say
    assert clear.sum() > 5
    np.testing.assert_allclose(found.values[clear, 0], expected.predict(distances)[clear])


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_neighbours_in_scaled_columns_are_scikit_learns(metric):
    X = RNG.normal(size=(80, 6)).astype(np.float32)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    found = fit("k_neighbors", X[:60], y[:60], MULTI, metric=metric).predict(X[60:])
    scaler = StandardScaler().fit(X[:60])
    expected = KNeighborsClassifier(5, weights="distance", metric=metric)
    expected.fit(scaler.transform(X[:60]), y[:60])
    shares = expected.predict_proba(scaler.transform(X[60:]))
    np.testing.assert_allclose(found.probabilities[0], shares, atol=1e-5)


def test_the_std_is_the_spread_of_the_neighbours():
    model = fit("k_neighbors", COUNTS[:60], TRUTH[:60], weights="uniform", n_neighbors=4)
    order = np.argsort(1 - tanimoto(COUNTS[60:], COUNTS[:60]), axis=1, kind="stable")[:, :4]
    np.testing.assert_allclose(model.predict(COUNTS[60:]).std[:, 0], TRUTH[order].std(axis=1))


def test_fewer_rows_than_neighbours_all_vote():
    found = fit("k_neighbors", COUNTS[:3], TRUTH[:3], weights="uniform").predict(COUNTS[60:])
    np.testing.assert_allclose(found.values, TRUTH[:3].mean())


def test_the_process_with_tanimoto_follows_its_formulas():
    """Rasmussen & Williams 2006, equations 2.25 and 2.26, solved directly."""
    model = fit("gaussian_process", COUNTS[:60], TRUTH[:60], noise=0.1)
    found = model.predict(COUNTS[60:])
    K = tanimoto(COUNTS[:60], COUNTS[:60]) + 0.1 * np.eye(60)
    k = tanimoto(COUNTS[60:], COUNTS[:60])
    y = TRUTH[:60] - TRUTH[:60].mean()
    np.testing.assert_allclose(found.values[:, 0], TRUTH[:60].mean() + k @ solve(K, y))
    signal = y @ solve(K, y) / 60
    variance = signal * (1 - np.einsum("ij,ji->i", k, solve(K, k.T)) + 0.1)
    np.testing.assert_allclose(found.std[:, 0], np.sqrt(variance))


def test_the_likeliest_noise_is_scikit_learns():
    X = RNG.normal(size=(70, 2)).astype(np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] + RNG.normal(scale=0.3, size=70)
    model = fit("gaussian_process", X, y, kernel="rbf")
    ours = model._fitted[0].estimator
    kernel = ConstantKernel(1.0) * RBF(ours.length, "fixed") + WhiteKernel(0.1)
    scaled = StandardScaler().fit_transform(X)
    theirs = GaussianProcessRegressor(kernel, random_state=0).fit(scaled, y - y.mean())
    signal, noise = np.exp(theirs.kernel_.theta)
    assert ours.signal == pytest.approx(signal, rel=0.15)  # the grid's step is 12 %
    assert ours.signal * ours.noise == pytest.approx(noise, rel=0.15)
    values, std = theirs.predict(scaled, return_std=True)
    found = model.predict(X)
    np.testing.assert_allclose(found.values[:, 0], values + y.mean(), atol=0.03)
    np.testing.assert_allclose(found.std[:, 0], std, rtol=0.05)


def test_the_process_is_less_certain_far_from_what_it_has_seen():
    model = fit("gaussian_process", COUNTS, TRUTH)
    strange = np.zeros((1, 30), np.uint8)
    strange[0, -1] = 200
    std = model.predict(np.concatenate([COUNTS[:1], strange])).std[:, 0]
    assert std[1] > 1.5 * std[0]
    assert model.predict(strange).values[0, 0] == pytest.approx(TRUTH.mean(), abs=0.2)


@pytest.mark.parametrize("name", ["gaussian_process", "kernel_ridge"])
def test_too_many_rows_are_refused_before_a_kernel_is_made(name):
    X = np.ones((15_001, 1), np.uint8)
    X[0] = 0
    with pytest.raises(InvalidInput) as refused:
        fit(name, X, np.arange(15_001.0))
    assert refused.value.problem()["code"] == "too_many_rows_to_fit"


@pytest.mark.parametrize(
    ("name", "field"), [("k_neighbors", "metric"), ("gaussian_process", "kernel")]
)
def test_tanimoto_without_counts_is_refused(name, field):
    X = RNG.normal(size=(20, 3)).astype(np.float32)
    with pytest.raises(InvalidInput, match="no counts or bits"):
        fit(name, X, X[:, 0], **{field: "tanimoto"})


def test_descriptors_beside_fingerprints_do_not_change_the_similarity():
    mixed = np.column_stack([COUNTS, RNG.normal(size=(80, 4))]).astype(np.float32)
    found = Neighbourhood.fit(mixed[:60], "auto")
    assert found.metric == "tanimoto"
    np.testing.assert_array_equal(
        found.distances(mixed[60:]), Neighbourhood.fit(COUNTS[:60], "auto").distances(COUNTS[60:])
    )
