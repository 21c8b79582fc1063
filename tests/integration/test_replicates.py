"""Replicates of a file become the noise ceiling of a training."""

from uuid import UUID

import numpy as np
import orjson
import pytest

from app.core.errors import NotFound
from app.core.work import SilentContext
from app.datasets.records import load_dataset
from app.datasets.replicates import replicates_of
from app.db.evaluations import EvaluationRow
from app.evaluation import service as evaluation
from app.evaluation.params import EvaluateParams
from app.training import service as training
from app.training.examples import read_labels
from app.training.noise import noise_ceiling
from app.training.params import LearnSpec, TrainParams
from tests.support.datasets import PROJECT, ingested

SIGMA = 0.3


@pytest.fixture
def dataset(resources):
    def make(content, **options):
        return load_dataset(resources, ingested(resources, content, **options)[0])

    return make


def measured_twice(n=120):
    """(file, values): alkanols, the first half of them measured twice."""
    rng = np.random.default_rng(0)
    lines, values = ["smiles,y,active"], []
    for number in range(n):
        truth = rng.normal(0, 2)
        found = truth + rng.normal(0, SIGMA, 2 if number < n // 2 else 1)
        values.append(found)
        smiles = "C" * (number % 40 + 1) + ["O", "N", "F"][number // 40]
        lines += [f"{smiles},{value:.6f},{int(value > 0)}" for value in found]
    return "\n".join(lines) + "\n", values


def pooled(values):
    variances = [np.var(v, ddof=1) for v in values if len(v) > 1]
    return np.sqrt(np.mean(variances))


def test_what_is_known_of_a_replicate_by_hand(dataset):
    found = dataset("smiles,y,active\nCCC,9,no\nCCO,1,yes\nOCC,2,no\nC(O)C,6,no\nCCN,,no\nNCC,4,\n")
    numbers = replicates_of(found, "y", numeric=True)
    assert numbers.n.tolist() == [3]
    assert numbers.spread == pytest.approx([np.std([1, 2, 6], ddof=1)])
    assert numbers.values_of_row.tolist() == [1, 3, 1]
    words = replicates_of(found, "active", numeric=False)
    assert words.spread == pytest.approx([1 / 3]), "of three pairs one agrees"


@pytest.mark.parametrize("rule", ["merge", "keep_all"])
@pytest.mark.req("S0-26")
def test_the_noise_is_that_of_the_file_whatever_the_rule(dataset, rule):
    content, values = measured_twice()
    found = dataset(content, duplicates=rule)
    labels = read_labels(found, LearnSpec(dataset="d", dataset_id=found.id, targets=["y"]))
    rows = np.arange(found.size)
    ceiling = noise_ceiling(found, labels, rows, seed=0)["y"]
    assert ceiling["structures"] == 60
    assert ceiling["std"]["value"] == pytest.approx(pooled(values), abs=1e-6)
    halved = [1 / len(v) for v in values] if rule == "merge" else [1.0]
    expected = pooled(values) * np.sqrt(np.mean(halved))
    assert ceiling["ceiling"]["rmse"]["value"] == pytest.approx(expected, rel=0.03)


def test_classes_have_their_agreement(dataset):
    content, values = measured_twice()
    found = dataset(content)
    labels = read_labels(found, LearnSpec(dataset="d", dataset_id=found.id, targets=["active"]))
    ceiling = noise_ceiling(found, labels, np.arange(found.size), seed=0)["active"]
    agree = np.mean([(v[0] > 0) == (v[1] > 0) for v in values if len(v) > 1])
    assert ceiling["agreement"] == pytest.approx(agree)
    assert 0.5 < ceiling["ceiling"]["accuracy"]["value"] <= 1


def ridge_on(dataset):
    return TrainParams(
        dataset="d",
        dataset_id=dataset.id,
        algorithm={"name": "ridge"},
        features=({"name": "maccs"},),
        bootstrap=0,
    )


def test_a_training_stores_the_ceiling_beside_its_metrics(dataset, resources):
    found = dataset(measured_twice()[0], roles={"active": "ignore"})
    params = ridge_on(found)
    result = training.run(resources, SilentContext(project_id=PROJECT), params).result
    stored = orjson.loads(resources.storage.read(f"models/{result['model_id']}/metrics.json"))
    ceiling = stored["noise_ceiling"]["y"]
    assert ceiling["std"]["value"] == pytest.approx(pooled(measured_twice()[1]), abs=1e-6)
    assert set(ceiling["ceiling"]) <= set(stored["test"]["y"])
    assert ceiling["ceiling"]["rmse"]["value"] < stored["test"]["y"]["rmse"]["value"]


def test_without_replicates_there_is_none(dataset):
    found = dataset("smiles,y\nCCO,1\nCCC,2\nCCN,5\n")
    labels = read_labels(found, LearnSpec(dataset="d", dataset_id=found.id, targets=["y"]))
    assert noise_ceiling(found, labels, np.arange(3), seed=0) == {}


def test_a_data_set_of_the_release_before_kept_nothing(dataset, resources):
    found = dataset(measured_twice()[0])
    key = f"{found.folder_key}/replicates.parquet"
    resources.storage.delete(key)
    with pytest.raises((NotFound, FileNotFoundError)):
        resources.storage.read(key)
    assert replicates_of(found, "y", numeric=True) is None


@pytest.mark.parametrize("unit", ["mmol/L", "umol/L"])
def test_an_evaluation_tells_the_ceiling_of_its_data_set_in_the_unit_of_the_model(
    dataset, resources, unit
):
    """The same values with replicates, as mmol/L or as a thousand times as many umol/L."""
    roles = {"active": "ignore"}
    content, values = measured_twice()
    own = dataset(content, roles=roles, units={"y": "mmol/L"}, duplicates="keep_first")
    params = ridge_on(own)
    context = SilentContext(project_id=PROJECT)
    context.job_id = None
    trained = training.run(resources, context, params)
    with resources.database.session() as session:
        trained.commit(session)
    factor = 1.0 if unit == "mmol/L" else 1000.0
    header, *rows = content.splitlines()
    cells = [row.split(",") for row in rows]
    scaled = [f"{smiles},{float(y) * factor:.6f},{active}" for smiles, y, active in cells]
    other = dataset("\n".join([header, *scaled]), name="other", roles=roles, units={"y": unit})
    asked = EvaluateParams(
        model="m", model_id=trained.result["model_id"], dataset="other", dataset_id=other.id
    )
    outcome = evaluation.run(resources, context, asked)
    with resources.database.session() as session:
        outcome.commit(session)
        row = session.get(EvaluationRow, UUID(outcome.result["evaluation_id"]))
        assert row.details["noise_ceiling"] == outcome.result["noise_ceiling"]
    ceiling = outcome.result["noise_ceiling"]["y"]
    assert ceiling["structures"] == 60
    assert ceiling["std"]["value"] == pytest.approx(pooled(values), abs=1e-6)
    expected = pooled(values) * np.sqrt(np.mean([1 / len(v) for v in values]))
    assert ceiling["ceiling"]["rmse"]["value"] == pytest.approx(expected, rel=0.03)
    again = evaluation.run(resources, context, EvaluateParams(model="m", model_id=asked.model_id))
    assert again.result["noise_ceiling"] == {}, "keep_first keeps nothing of replicates"
