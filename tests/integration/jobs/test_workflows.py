"""Jobs that take values of others' results: accepted, filled in once, or failed with the reason."""

import json
import threading
from pathlib import Path

import pytest

from app.core.errors import InvalidInput
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.integrity.records import broken_rules
from app.jobs.claim import Owner, claim_job
from app.jobs.finish import end_badly, succeed
from app.jobs.store import get_job, list_events
from app.jobs.sweeper import sweep
from app.kinds.deferred import fill_ready
from tests.support.inline import work_off

OWNER = Owner(worker="test", pid=1)
DATA = Path(__file__).parents[3] / "examples" / "data"


@pytest.fixture
def dataset(api, ingest, resources):
    """`mols`, as its ingest leaves it."""
    job = api.post("jobs", json=ingest).json()
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE datasets SET manifest_key = 'k', sha256 = 's'")
    finish(resources, job, {"dataset_ref": "mols:1"})
    return "mols"


def finish(resources, job, result):
    claimed = claim_job(resources.database, job["id"], OWNER, lease_seconds=60)
    return succeed(resources.database, claimed, Outcome(result=result))


def optimize(**params):
    return {"kind": "optimize", "params": {"dataset": "mols", "then": "none", **params}}


def train(source="optimize.result.best_params", **params):
    algorithm = {"name": "ridge", "params": {"$from": source}}
    return {"kind": "train", "params": {"dataset": "mols", "algorithm": algorithm, **params}}


def job_of(resources, job):
    return get_job(resources.database, DEFAULT_PROJECT_ID, job["id"])


def engine_rules_broken(resources):
    """All but those about what real work would have made."""
    found = broken_rules(resources.database)
    return [one for one in found if one.rule not in ("studies", "models")]


# ---- accepted together


@pytest.mark.req("goal-11")
def test_a_workflow_is_stored_whole_with_its_needs(api, dataset):
    body = {
        "jobs": {
            "predict": {
                "kind": "predict",
                "params": {"model": {"$from": "train.result.model_ref"}, "dataset": "mols"},
            },
            "train": {**train(), "labels": {"mine": "yes"}, "priority": 8},
            "optimize": optimize(),
        }
    }
    answer = api.post("workflows", json=body)
    assert answer.status_code == 202, answer.text
    workflow = answer.json()
    assert answer.headers["location"] == f"/api/v1/workflows/{workflow['id']}"
    jobs = workflow["jobs"]
    assert list(jobs) == ["optimize", "train", "predict"]
    assert [jobs[key]["state"] for key in jobs] == ["queued", "waiting", "waiting"]
    assert jobs["train"]["needs"] == [jobs["optimize"]["id"]], "itself is not shown"
    assert jobs["train"]["priority"] == 8
    assert jobs["train"]["labels"] == {
        "mine": "yes",
        "workflow": workflow["id"],
        "workflow_job": "train",
    }
    source = {"$from": f"{jobs['optimize']['id']}.result.best_params"}
    assert jobs["train"]["params"]["algorithm"]["params"] == source
    shown = api.get(f"workflows/{workflow['id']}").json()
    assert {key: job["id"] for key, job in shown["jobs"].items()} == {
        key: job["id"] for key, job in jobs.items()
    }
    assert shown["state"] == "running"
    listed = api.get("jobs", params={"label": f"workflow:{workflow['id']}"}).json()["items"]
    assert len(listed) == 3


@pytest.mark.req("goal-11", "goal-4")
def test_the_same_workflow_sent_twice_is_one(api, dataset, problem):
    body = {"jobs": {"optimize": optimize(), "train": train()}}
    headers = {"Idempotency-Key": "workflow-1"}
    first = api.post("workflows", json=body, headers=headers)
    again = api.post("workflows", json=body, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["jobs"].keys() == first.json()["jobs"].keys()
    other = {"jobs": {"optimize": optimize(n_trials=3), "train": train()}}
    problem(api.post("workflows", json=other, headers=headers), 422, "idempotency_key_reused")
    assert len(api.get("jobs?kind=train").json()["items"]) == 1


def test_a_step_finds_the_data_set_that_an_earlier_one_makes(api, ingest):
    body = {"jobs": {"train": {"kind": "train", "params": {"dataset": "mols"}}, "read": ingest}}
    body["jobs"]["train"]["needs"] = ["read"]
    jobs = api.post("workflows", json=body).json()["jobs"]
    assert jobs["train"]["params"]["dataset_id"] == jobs["read"]["params"]["dataset_id"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"train": {"needs": ["optimise"]}}, "/jobs/train/needs/0"),
        ({"train": train("opt.result.best_params")}, "/jobs/train/params/algorithm/params"),
        ({"train": train("optimize.best_params")}, "/jobs/train/params/algorithm/params"),
        ({"optimize": {"needs": ["train"]}}, "/jobs/optimize/needs"),
        ({"train": {"kind": "tune"}}, "/jobs/train/kind"),
        ({"train": {"needs": ["train"]}}, "/jobs/train/needs"),
        ({"train": train(bootstrap=-1)}, "/jobs/train/params/bootstrap"),
        ({"train": train(dataset="mol")}, "/jobs/train/params/dataset"),
        ({"train": train(features=[{"name": "ergg"}])}, "/jobs/train/params/features/0"),
        ({"optimize": optimize(folds=1)}, "/jobs/optimize/params/folds"),
        ({"optimize": optimize(algorithm="rigde")}, "/jobs/optimize/params/algorithm"),
    ],
)
@pytest.mark.req("goal-11")
def test_what_is_wrong_is_named_below_its_key_and_nothing_is_stored(api, dataset, changes, pointer):
    jobs = {"optimize": optimize(), "train": train()}
    for key, change in changes.items():
        jobs[key] = jobs[key] | change
    before = len(api.get("jobs").json()["items"])
    answer = api.post("workflows", json={"jobs": jobs})
    assert answer.status_code in (404, 422), answer.text
    body = answer.json()
    found = [error["pointer"] for error in body["errors"]]
    # graphlib may begin the circle with either
    assert pointer in found or (found[0].endswith("/needs") and "needs" in body["detail"]), body
    assert len(api.get("jobs").json()["items"]) == before


def test_all_steps_are_looked_at_before_the_answer(api, dataset):
    jobs = {"optimize": optimize(folds=1), "other": optimize(metric="rsme")}
    body = api.post("workflows", json={"jobs": jobs}).json()
    found = {error["pointer"] for error in body["errors"]}
    assert found == {"/jobs/optimize/params/folds", "/jobs/other/params/metric"}


def test_another_projects_workflow_is_not_there(api, dataset, stranger, problem):
    made = api.post("workflows", json={"jobs": {"optimize": optimize()}}).json()
    problem(api.get(f"workflows/{made['id']}", headers=stranger), 404, "not_found")


# ---- filled in


@pytest.mark.req("goal-11")
def test_values_are_filled_in_when_the_need_has_succeeded(api, dataset, resources):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    assert finish(resources, jobs["optimize"], {"best_params": {"alpha": 0.25}}) == []
    assert sweep(resources.database, resources.settings).jobs == [], "nobody queues it unfilled"
    assert job_of(resources, jobs["train"]).state == "waiting"
    (ready,) = fill_ready(resources)
    assert str(ready.id) == jobs["train"]["id"]
    assert (ready.state, ready.params["algorithm"]["params"]) == ("queued", {"alpha": 0.25})
    assert ready.params["dataset_id"], "resolved as any job"
    assert ready.params["bootstrap"] == 1000, "whole, with its defaults"
    assert fill_ready(resources) == []
    assert engine_rules_broken(resources) == []


def test_the_queue_is_chosen_by_what_was_filled_in(api, dataset, resources):
    need = api.post("jobs", json=optimize()).json()
    body = train("needs[0].result.best") | {"needs": [need["id"]]}
    body["params"]["algorithm"] = {"$from": "needs[0].result.best"}
    body["params"]["device"] = "cuda"
    job = api.post("jobs", json=body).json()
    assert (job["state"], job["queue"]) == ("waiting", "cpu")
    finish(resources, need, {"best": {"name": "mlp"}})
    (ready,) = fill_ready(resources)
    assert ready.queue == "gpu"
    assert ready.warnings[0]["code"] == "no_gpu_worker"


@pytest.mark.req("goal-11")
def test_a_need_that_has_succeeded_already_is_filled_in_at_once(api, dataset, resources):
    need = api.post("jobs", json=optimize()).json()
    finish(resources, need, {"best_params": {"alpha": 2.0}})
    body = train("needs[0].result.best_params") | {"needs": [need["id"]]}
    job = api.post("jobs", json=body).json()
    assert (job["state"], job["params"]["algorithm"]["params"]) == ("queued", {"alpha": 2.0})


@pytest.mark.parametrize(
    ("result", "pointer", "words"),
    [
        ({"best_parms": {"alpha": 1}}, "/params/algorithm/params", "best_parms"),
        ({"best_params": "x"}, "/params/algorithm/params", "'x'"),
        ({"best_params": {"alpha": "much"}}, "/params/algorithm/params/alpha", None),
        ({"best_params": {"$from": "needs[0].result"}}, None, "reference"),
        ({"best_params": {"x": "y" * 3_000_000}}, None, "bytes"),
    ],
)
@pytest.mark.req("goal-11")
def test_a_value_of_no_use_fails_the_job_and_says_which(
    api, dataset, resources, result, pointer, words
):
    jobs = api.post(
        "workflows",
        json={
            "jobs": {
                "optimize": optimize(),
                "train": train(),
                "after": {"kind": "featurize", "params": {"dataset": "mols"}, "needs": ["train"]},
            }
        },
    ).json()["jobs"]
    finish(resources, jobs["optimize"], result)
    assert fill_ready(resources) == []
    failed = job_of(resources, jobs["train"])
    assert (failed.state, failed.error["code"]) == ("failed", "invalid_input")
    if pointer is not None:
        assert failed.error["errors"][0]["pointer"] == pointer
    if words is not None:
        assert words in failed.error["detail"]
    assert job_of(resources, jobs["after"]).error["code"] == "dependency_failed"
    assert list_events(resources.database, failed.id)[-1].data["trigger"] == "need_unusable"
    assert engine_rules_broken(resources) == []


def test_a_bug_in_the_filling_ends_the_job_too(api, dataset, resources, monkeypatch):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    finish(resources, jobs["optimize"], {"best_params": {}})
    monkeypatch.setattr("app.kinds.deferred.fill", lambda *_: 1 / 0)
    assert fill_ready(resources) == []
    failed = job_of(resources, jobs["train"])
    assert failed.error["code"] == "internal_error"
    assert "division" not in json.dumps(failed.error)


def test_an_outage_in_the_filling_changes_nothing(api, dataset, resources, monkeypatch):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    finish(resources, jobs["optimize"], {"best_params": {}})

    def down(*_):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("app.kinds.deferred.fill", down)
        with pytest.raises(ConnectionError):
            fill_ready(resources)
    assert job_of(resources, jobs["train"]).state == "waiting"
    assert len(fill_ready(resources)) == 1


def test_many_who_fill_in_at_once_queue_each_job_once(api, dataset, resources):
    need = api.post("jobs", json=optimize()).json()
    body = train("needs[0].result.best_params") | {"needs": [need["id"]]}
    made = {api.post("jobs", json=body).json()["id"] for _ in range(20)}
    finish(resources, need, {"best_params": {"alpha": 1.0}})
    ready = []

    def run():
        ready.extend(fill_ready(resources))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ready += fill_ready(resources)
    assert sorted(str(job.id) for job in ready) == sorted(made)


def test_a_need_that_fails_fails_what_waits_for_its_values(api, dataset, resources):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()
    need = jobs["jobs"]["optimize"]
    claimed = claim_job(resources.database, need["id"], OWNER, lease_seconds=60)
    end_badly(resources.database, claimed, InvalidInput("no"))
    shown = api.get(f"workflows/{jobs['id']}").json()
    assert shown["state"] == "failed"
    assert shown["jobs"]["train"]["error"]["code"] == "dependency_failed"


# ---- one job by itself


def test_a_reference_to_no_need_is_refused(api, dataset, resources, problem):
    need = api.post("jobs", json=optimize()).json()
    other = api.post("jobs", json=optimize()).json()
    for source in ("needs[1].result.x", "opt.result.x", f"{other['id']}.result.x"):
        body = problem(
            api.post("jobs", json=train(source) | {"needs": [need["id"]]}), 422, "invalid_input"
        )
        assert body["errors"][0]["pointer"] == "/params/algorithm/params"


def test_the_rest_of_the_params_is_checked_at_once(api, dataset, problem):
    need = api.post("jobs", json=optimize()).json()
    more = {"needs": [need["id"]]}
    source = "needs[0].result.best_params"
    wrong = api.post("jobs", json=train(source, dataset="moles") | more)
    assert problem(wrong, 404, "not_found")["errors"][0]["pointer"] == "/params/dataset"
    wrong = api.post("jobs", json=train(source, seed=-1) | more)
    assert problem(wrong, 422, "invalid_request")["errors"][0]["pointer"] == "/params/seed"
    wrong = api.post("jobs", json=train(source) | more | {"colour": "red"})
    assert wrong.status_code == 422
    wrong = api.post("jobs", json=train(source) | more | {"kind": "tune"})
    problem(wrong, 422, "invalid_request")


@pytest.mark.req("goal-11")
def test_a_retry_fills_in_what_has_come_since(api, dataset, resources, problem):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    claimed = claim_job(resources.database, jobs["optimize"]["id"], OWNER, lease_seconds=60)
    end_badly(resources.database, claimed, InvalidInput("no"))
    train_id = jobs["train"]["id"]
    problem(api.post(f"jobs/{train_id}/retry"), 409, "conflict")
    api.post(f"jobs/{jobs['optimize']['id']}/retry")
    finish(resources, jobs["optimize"], {"best_params": {"alpha": 3.0}})
    bulk = {"action": "retry", "filter": {"kind": "train"}, "dry_run": False}
    assert api.post("jobs/bulk", json=bulk).json()["jobs"] == [train_id]
    retried = api.get(f"jobs/{train_id}").json()
    assert (retried["state"], retried["params"]["algorithm"]["params"]) == (
        "queued",
        {"alpha": 3.0},
    )
    assert "bulk" in list_events(resources.database, train_id)[-1].data


def test_a_retry_with_values_of_no_use_is_refused(api, dataset, resources, problem):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    finish(resources, jobs["optimize"], {"nothing": 1})
    fill_ready(resources)
    problem(api.post(f"jobs/{jobs['train']['id']}/retry"), 422, "invalid_input")
    assert job_of(resources, jobs["train"]).state == "failed"


def test_a_rerun_before_the_values_have_come_waits_for_them_too(api, dataset, resources):
    jobs = api.post("workflows", json={"jobs": {"optimize": optimize(), "train": train()}}).json()[
        "jobs"
    ]
    again = api.post(f"jobs/{jobs['train']['id']}/rerun", json={"params": {"seed": 4}}).json()
    assert (again["state"], again["needs"]) == ("waiting", [jobs["optimize"]["id"]])
    assert again["difference"] == [{"pointer": "/params/seed", "before": None, "after": 4}]
    assert "workflow" not in again["labels"]
    finish(resources, jobs["optimize"], {"best_params": {"alpha": 5.0}})
    assert len(fill_ready(resources)) == 2
    fresh = job_of(resources, again)
    assert (fresh.params["seed"], fresh.params["algorithm"]["params"]) == (4, {"alpha": 5.0})


# ---- the S4 flow, with real work


@pytest.mark.req("goal-11", "S4-18")
def test_optimize_then_train_then_evaluate_and_predict_in_one_call(api, resources):
    content = (DATA / "freesolv.csv").read_bytes()
    file_id = api.post("files", files={"file": ("freesolv.csv", content)}).json()["id"]
    learn = {
        "dataset": {"$from": "read.result.dataset_ref"},
        "features": [{"name": "rdkit_descriptors"}],
        "bootstrap": 20,
    }
    best = {"name": "ridge", "params": {"$from": "optimize.result.best_params"}}
    model = {"$from": "train.result.model_ref"}
    body = {
        "jobs": {
            "read": {"kind": "ingest", "params": {"file_id": file_id, "name": "freesolv"}},
            "optimize": {
                "kind": "optimize",
                "params": {**learn, "algorithm": "ridge", "n_trials": 3, "folds": 2}
                | {"then": "none"},
            },
            "train": {"kind": "train", "params": {**learn, "algorithm": best}},
            "evaluate": {"kind": "evaluate", "params": {"model": model, "bootstrap": 20}},
            "predict": {
                "kind": "predict",
                # a data set's id slipped in is not looked at
                "params": {"model": model, "file_id": file_id, "dataset_id": file_id},
            },
        }
    }
    made = api.post("workflows", json=body)
    assert made.status_code == 202, made.text
    work_off(resources)
    done = api.get(f"workflows/{made.json()['id']}").json()
    assert done["state"] == "succeeded", {k: j["error"] for k, j in done["jobs"].items()}
    jobs = done["jobs"]
    best_params = jobs["optimize"]["result"]["best_params"]
    assert jobs["train"]["params"]["algorithm"]["params"] == best_params
    model_id = jobs["train"]["result"]["model_id"]
    assert jobs["evaluate"]["params"]["model_id"] == model_id
    assert jobs["predict"]["result"]["model_id"] == model_id
    assert jobs["predict"]["params"]["dataset_id"] is None
    assert jobs["predict"]["result"]["rows_ok"] > 600
    assert broken_rules(resources.database) == []
