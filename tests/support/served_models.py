"""Small models for the synchronous path: alkanes with one group, a ridge on counted properties."""

import pytest

from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import ingested, job_context
from tests.support.worker_here import WorkerHere

MOLECULES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N", "Cl", "C(=O)O")]


@pytest.fixture
def dataset(resources):
    rows = "".join(f"{s},{len(s) + 0.25 * s.count('O')}\n" for s in MOLECULES)
    return ingested(resources, "smiles,y\n" + rows, name="mols")[0]


@pytest.fixture
def answering(resources, monkeypatch):
    """Questions to the interactive worker (checks of files, gates) are answered here."""
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)


def train(
    resources, dataset, name="mols", features=({"name": "physchem"},), algorithm="ridge", **params
):
    """A version of `name`; what its job would say."""
    said = TrainParams(
        dataset="mols",
        dataset_id=dataset,
        name=name,
        bootstrap=0,
        features=features,
        algorithm={"name": algorithm, "params": params},
    )
    outcome = training.run(resources, job_context(resources, "train"), said)
    with resources.database.session() as session:
        return outcome.result | outcome.commit(session)


def post(api, *inputs, model="mols", status=200, headers=None, **fields):
    """The answer of POST /predictions."""
    body = {"model": model, "inputs": list(inputs), **fields}
    answer = api.post("predictions", json=body, headers=headers or {})
    assert answer.status_code == status, answer.text
    return answer.json()


def altered(resources, model):
    """One byte of the model's weights is another one now."""
    (weights,) = resources.storage.list(f"models/{model['model_id']}/weights/target-0")
    data = bytearray(resources.storage.read(weights))
    data[len(data) // 2] ^= 1
    resources.storage.delete(weights)
    resources.storage.write(weights, bytes(data))
