"""The folds of out-of-fold predictions: stored with the data set, cited by the model's metrics."""

import pyarrow.parquet as pq
import pytest

from app.chem.scaffold import murcko_scaffold
from app.datasets.records import load_dataset
from app.db.datasets import SplitRow
from app.training import service as training
from app.training.folds import read_folds
from app.training.params import SplitSpec, TrainParams
from tests.support.datasets import ingested, job_context
from tests.support.molecules import DATA, ESOL_TARGET

pytestmark = pytest.mark.req("goal-28")


def test_the_folds_of_a_training_are_stored_and_cited(resources):
    rows = (DATA / "esol.csv").read_text().splitlines()[:201]
    dataset_id, _ = ingested(resources, "\n".join(rows), "esol.csv", name="d")
    params = TrainParams(
        dataset="d",
        dataset_id=dataset_id,
        targets=(ESOL_TARGET,),
        algorithm={"name": "ridge"},
        features=({"name": "maccs"},),
        split=SplitSpec(name="scaffold", seed=1),
        seed=2,
        bootstrap=0,
    )
    for _ in range(2):
        outcome = training.run(resources, job_context(resources, "train"), params)
        with resources.database.session() as session:
            outcome.commit(session)
    cited = outcome.result["metrics"]["folds"]
    with resources.database.session() as session:
        found = session.query(SplitRow).filter_by(dataset_id=dataset_id).all()
    (split,) = [row for row in found if "train" in row.sizes]
    (folds,) = [row for row in found if "folds" in row.sizes]
    assert (folds.hash, folds.splitter, folds.seed) == (cited["hash"], "scaffold", 2)
    assert {"hash": folds.hash, **folds.sizes} == cited
    (stored,) = read_folds(resources.storage.read(folds.storage_key))
    # no scaffold is on two sides, and no test row of the model in any fold
    dataset = load_dataset(resources, dataset_id)
    for fold in stored:
        sides = (
            {murcko_scaffold(dataset.smiles[row]) for row in p} for p in (fold.train, fold.test)
        )
        assert not set.intersection(*sides)
    assert cited["rows"] == split.sizes["train"] + split.sizes["validation"]
    # they are those of the predictions that the model left
    path = f"models/{outcome.result['model_id']}/predictions.parquet"
    table = pq.read_table(resources.storage.local_path(path)).to_pylist()
    predicted = {row["row"] for row in table if row["part"] == "out_of_fold"}
    assert predicted == {dataset.rows[row] for fold in stored for row in fold.test}
