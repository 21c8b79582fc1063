"""Default settings against published scores, on the services themselves."""

import pytest

from app.core.errors import InvalidInput
from app.core.work import SilentContext
from app.models.bundle import ModelBundle
from app.training import service as training
from app.training.params import SplitSpec, TrainParams
from tests.support.datasets import PROJECT, ingested
from tests.support.molecules import DATA, ESOL_TARGET

#: of the five of `docs/benchmarks.md` the one that is nearest to their mean
SEED = 1


@pytest.fixture
def esol_id(resources):
    return ingested(resources, DATA / "esol.csv", name="esol")[0]


def train(resources, dataset_id, **options):
    params = TrainParams(dataset="esol", dataset_id=dataset_id, targets=(ESOL_TARGET,), **options)
    return training.run(resources, SilentContext(project_id=PROJECT), params)


@pytest.mark.slow
@pytest.mark.req("S0-26")
def test_esol_with_defaults_is_near_the_published_best(resources, esol_id):
    """Random 8:1:1, default algorithm and features: RMSE at most 0.60 (MoleculeNet's best is 0.58,
    D-MPNN's 0.555), and 90 % intervals that cover 80 to 97 % of the test rows. One seed, and two
    folds instead of five, for time; `make benchmark-science` has five seeds and every fold."""
    options = {"split": SplitSpec(seed=SEED), "seed": SEED, "calibration_folds": 2}
    outcome = train(resources, esol_id, bootstrap=0, **options)
    score = outcome.result["metrics"]["test"][ESOL_TARGET]["rmse"]["value"]
    assert score <= 0.60
    assert 0.80 <= _coverage(resources, outcome.result["model_id"]) <= 0.97


def _coverage(resources, model_id):
    import pyarrow.parquet as pq

    path = resources.storage.local_path(f"models/{model_id}/predictions.parquet")
    rows = [r for r in pq.read_table(path).to_pylist() if r["part"] == "test"]
    low, high = f"{ESOL_TARGET}_lower", f"{ESOL_TARGET}_upper"
    inside = [r[low] <= r[ESOL_TARGET] <= r[high] for r in rows]
    return sum(inside) / len(inside)


FAST = {
    "features": ({"name": "maccs"},),
    "algorithm": {"name": "ridge"},
    "bootstrap": 0,
}


def test_the_same_request_gives_the_same_weights_and_split(resources, esol_id):
    first, second = (train(resources, esol_id, **FAST).result for _ in range(2))
    assert first["split_hash"] == second["split_hash"]
    files = [
        ModelBundle.load(resources.storage, f"models/{r['model_id']}/manifest.json").manifest.files
        for r in (first, second)
    ]
    assert files[0] == files[1]


def test_one_altered_byte_of_a_model_is_refused(resources, esol_id):
    result = train(resources, esol_id, **FAST).result
    folder = f"models/{result['model_id']}"
    name = next(n for n in resources.storage.list(f"{folder}/weights/") if n.endswith(".skops"))
    data = bytearray(resources.storage.read(name))
    data[len(data) // 2] ^= 1
    resources.storage.write(name, bytes(data))
    with pytest.raises(InvalidInput, match="not the one that was stored"):
        ModelBundle.load(resources.storage, f"{folder}/manifest.json")
