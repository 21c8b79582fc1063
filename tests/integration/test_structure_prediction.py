"""predict_structure: one molecule by several models, asked for over HTTP or by a message."""

import orjson
import pytest
from rdkit import Chem

from app.commands.stream import DEAD, STREAM, take
from app.core.errors import Conflict
from app.events.publisher import sequence
from app.prediction import interactive
from app.prediction.structure import consensus
from tests.support.served_models import altered, train
from tests.support.worker_here import WorkerHere

BUTANOL = "CCCCO"


@pytest.fixture
def models(resources, dataset):
    """Two models of the same target `y`."""
    return [
        train(resources, dataset, name="mols"),
        train(resources, dataset, name="bits", features=({"name": "morgan_counts"},)),
    ]


@pytest.fixture
def worker(resources, answering):
    return WorkerHere(resources)


def ask(api, status=202, **params):
    body = {"kind": "predict_structure", "params": {"structure": BUTANOL, **params}}
    answer = api.post("jobs", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def send(resources, type_, **fields):
    body = {"type": type_, "id": "s1", "user_id": "ada", "correlation_id": "k1", **fields}
    resources.redis.xadd(STREAM, {"command": orjson.dumps(body)})
    return take(resources, "one", lambda _: None)


def told(resources, api, type_):
    sequence(resources.database)
    return [e["data"] for e in api.get("events", params={"type": type_}).json()["items"]]


def as_of_one(resources, model_id, text=BUTANOL):
    """What POST /predictions is answered with for that model alone."""
    asked = {"model_id": model_id, "inputs": [{"smiles": text}]}
    (item,) = interactive.answer(resources, asked)["predictions"]
    return item


@pytest.mark.req("S0-12", "U-07", "U-08")
@pytest.mark.parametrize("type_", ["SingleStructurePredict", "PredictStructure"])
def test_a_command_is_answered_by_an_event(resources, api, worker, models, type_):
    for _ in range(2):  # the same message again is the same job
        assert send(resources, type_, structure=BUTANOL, format="SMILES", models=["mols", "bits"])
    worker.run_all()
    (ready,) = told(resources, api, "PredictedResultReady")
    assert (ready["id"], ready["user_id"], ready["correlation_id"]) == ("s1", "command:ada", "k1")
    (job,) = api.get("jobs", params={"kind": "predict_structure"}).json()["items"]
    assert job["state"] == "succeeded"
    data = ready["data"]
    assert data == api.get(f"jobs/{job['id']}").json()["result"]["data"]
    assert [(one["ref"], one["id"]) for one in data["models"]] == [
        ("mols", models[0]["model_id"]),
        ("bits", models[1]["model_id"]),
    ]
    for one in data["models"]:
        alone = as_of_one(resources, one["id"])
        for name in ("targets", "domain", "canonical_smiles", "status"):
            assert one[name] == alone[name]
        assert (one["dataset"], one["method"]) == ("mols:1", "ridge")
        assert one["properties"] == [{"name": "y", "units": None}]
    first, second = (one["targets"]["y"]["value"] for one in data["models"])
    assert data["consensus"]["y"] == {
        "value": pytest.approx((first + second) / 2),
        "unit": None,
        "std": pytest.approx(abs(first - second) / 2**0.5),
        "models": 2,
    }


def test_a_mol_block_is_the_molecule_that_it_draws(api, worker, models):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("OCCCC"))
    drawn = ask(api, structure=block, format="mol", models=["mols"])
    written = ask(api, models=["mols"])
    worker.run_all()
    found = [api.get(f"jobs/{job['id']}").json()["result"]["data"] for job in (drawn, written)]
    assert found[0]["models"][0]["targets"] == found[1]["models"][0]["targets"]
    assert found[0]["canonical_smiles"] == BUTANOL


def test_a_model_that_has_no_answer_says_why_and_the_others_answer(resources, api, worker, models):
    altered(resources, models[1])
    job = ask(api, models=["mols", "bits"])
    worker.run_all()
    ended = api.get(f"jobs/{job['id']}").json()
    assert ended["state"] == "succeeded"
    assert ended["counts"] == {"models_total": 2, "models_ok": 1, "models_failed": 1}
    well, ill = ended["result"]["data"]["models"]
    assert (well["status"], ill["status"], ill["targets"]) == ("ok", "error", {})
    assert "is not the one that was stored" in ill["reason"]
    assert ended["result"]["data"]["consensus"] == {}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"structure": "C1CC("}, "RDKit cannot read"),
        ({"structure": "not a block", "format": "mol"}, "RDKit cannot read"),
        ({"property_name": "boiling point"}, "does not predict 'boiling point' but y"),
    ],
)
def test_what_cannot_be_predicted_has_its_reason(resources, api, worker, models, asked, reason):
    ask(api, models=["mols"], **asked)
    worker.run_all()
    (ready,) = told(resources, api, "PredictedResultReady")
    (one,) = ready["data"]["models"]
    assert one["status"] == "error"
    assert reason in one["reason"]


def test_the_property_asked_for_is_the_only_one(api, worker, models):
    job = ask(api, models=["mols"], property_name="y")
    worker.run_all()
    (one,) = api.get(f"jobs/{job['id']}").json()["result"]["data"]["models"]
    assert list(one["targets"]) == ["y"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"structure": "CCO", "models": ["mols", "nothing"]}, "/models/1"),
        ({"structure": "CCO", "models": ["mols"], "format": "cdx"}, "/format"),
        ({"structure": "", "models": ["mols"]}, "/structure"),
        ({"structure": "CCO"}, "/models"),
    ],
)
def test_a_wrong_command_is_buried_with_the_field(resources, api, models, fields, pointer):
    assert send(resources, "SingleStructurePredict", **fields) == 1
    ((_, entry),) = resources.redis.xrange(DEAD)
    (error,) = orjson.loads(entry[b"problem"])["errors"]
    assert error["pointer"] == pointer


def test_a_short_id_that_means_two_models_is_named_where_it_stands(resources, models, monkeypatch):
    def ambiguous(*_):
        raise Conflict("two models begin so")

    monkeypatch.setattr("app.commands.submitting.find_by_short_id", ambiguous)
    named = ["mols", "model-0123456789ab"]
    assert send(resources, "PredictStructure", structure="CCO", models=named) == 1
    ((_, entry),) = resources.redis.xrange(DEAD)
    (error,) = orjson.loads(entry[b"problem"])["errors"]
    assert error["pointer"] == "/models/1"


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"models": ["mols", "mols"]}, "/params"),
        ({"models": []}, "/params/models"),
        ({"models": ["mols"], "structure": "C" * 5001}, "/params"),
    ],
)
def test_a_wrong_request_names_the_field(api, models, params, pointer):
    (error,) = ask(api, status=422, **params)["errors"]
    assert error["pointer"].startswith(pointer)


def test_a_cancelled_one_is_told_as_failed(resources, api, models):
    job = ask(api, models=["mols"])
    api.post(f"jobs/{job['id']}/cancel")
    (failed,) = told(resources, api, "PredictionFailed")
    assert failed["job_id"] == job["id"]


def said(target="y", unit="mg/L", **one):
    return {"targets": {target: {"unit": unit, **one}}}


def test_a_consensus_is_of_two_models_in_one_unit():
    answers = [said(value=1.0), said(value=4.0), said(value=100.0, unit="g/L"), said(value=7.0)]
    assert consensus(answers)["y"] == {"value": 4.0, "unit": "mg/L", "std": 3.0, "models": 3}
    assert consensus([said(value=1.0), said(target="z", value=2.0)]) == {}


def test_a_consensus_of_classes_is_the_mean_of_their_probabilities():
    answers = [
        said(unit=None, value=0.9, probabilities={"no": 0.1, "yes": 0.9}),
        said(unit=None, value=0.7, probabilities={"no": 0.7, "yes": 0.3}),
        said(unit=None, value=0.6, probabilities={"a": 0.6, "b": 0.4}),
    ]
    found = consensus(answers)["y"]
    assert found["class"] == "yes"
    assert found["value"] == pytest.approx(0.6)
    assert found["probabilities"] == {"no": pytest.approx(0.4), "yes": pytest.approx(0.6)}
    assert found["models"] == 2


def test_what_was_asked_is_told_as_it_was_sent(resources, models):
    """Also where it is empty."""
    assert as_of_one(resources, models[0]["model_id"], text="")["input"] == ""
    assert as_of_one(resources, models[0]["model_id"], text="CO")["input"] == "CO"
