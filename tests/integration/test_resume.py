"""Training goes on, on another machine, where the last worker stopped; the metrics are the same."""

import tempfile

import pytest

from app.core.work import SilentContext
from app.jobs.context import Drained
from app.models.bundle import ModelBundle
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested
from tests.support.molecules import DATA, ESOL_TARGET

ROWS = 200
EPOCHS = 8
#: of equal runs; on one kind of CPU the difference is 0
TOLERANCE = 1e-6


@pytest.fixture
def params(resources, tmp_path):
    """The first rows of ESOL as a ready data set, and what to train on it."""
    small = tmp_path / "small.csv"
    lines = (DATA / "esol.csv").read_text().splitlines(keepends=True)
    small.write_text("".join(lines[: ROWS + 1]))
    dataset_id, _ = ingested(resources, small, name="small")
    return TrainParams(
        dataset="small",
        dataset_id=dataset_id,
        targets=(ESOL_TARGET,),
        features=({"name": "maccs"},),
        algorithm={"name": "mlp", "params": {"hidden_sizes": [32], "max_epochs": EPOCHS}},
        seed=3,
        bootstrap=20,
    )


class Attempt(SilentContext):
    """One attempt of a job; drained once `epochs` have been told."""

    def __init__(self, number, *, job_id=None, epochs=EPOCHS + 1):
        super().__init__(project_id=PROJECT, attempt=number)
        self.job_id = job_id or self.job_id
        self._epochs = epochs

    @property
    def trained(self):
        return [told["done"] for told in self.told if told["unit"] == "epoch"]

    def raise_if_cancelled(self):
        if len(self.trained) >= self._epochs:
            raise Drained("the worker is shutting down")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Called, it gives this process an empty temporary folder, as another machine has."""

    def new(name):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))

    return new


def weights(resources, outcome):
    """Figures of the model that the run stored, and the hashes of its weights."""
    key = f"models/{outcome.result['model_id']}/manifest.json"
    manifest = ModelBundle.load(resources.storage, key).manifest
    return manifest.facts, {n: h for n, h in manifest.files.items() if n.startswith("weights/")}


def test_another_machine_ends_with_the_metrics_of_an_undisturbed_run(resources, params, machine):
    whole = training.run(resources, Attempt(1), params)
    machine("first")
    first = Attempt(1, epochs=5)
    with pytest.raises(Drained):
        training.run(resources, first, params)
    assert list(resources.storage.list(f"work/{first.job_id}/checkpoint/"))
    machine("second")
    second = Attempt(2, job_id=first.job_id)
    outcome = training.run(resources, second, params)
    assert second.trained == [6, 7, 8], "it trained epochs that were behind it"
    assert ("message", "training resumed after epoch 5") in [
        (kind, data.get("detail")) for kind, data in second.events
    ]
    _assert_equal(outcome.result["metrics"], whole.result["metrics"])
    assert weights(resources, outcome) == weights(resources, whole)


def test_what_another_request_of_the_same_job_left_is_not_used(resources, params):
    first = Attempt(1, epochs=5)
    with pytest.raises(Drained):
        training.run(resources, first, params)
    other = params.model_copy(update={"seed": 4})
    second = Attempt(2, job_id=first.job_id)
    outcome = training.run(resources, second, other)
    assert second.trained == list(range(1, EPOCHS + 1))
    whole = training.run(resources, Attempt(1), other)
    _assert_equal(outcome.result["metrics"], whole.result["metrics"])


def _assert_equal(found, expected):
    """Two trees of figures."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            _assert_equal(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            _assert_equal(a, b)
    elif expected is None or isinstance(expected, str):
        assert found == expected
    else:
        assert found == pytest.approx(expected, abs=TOLERANCE, rel=0)
