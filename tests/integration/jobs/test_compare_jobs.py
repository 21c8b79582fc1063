"""compare over HTTP and through the engine: divided, workflows, reruns, estimates, refusals."""

import pytest

from app.integrity.blobs import missing_blobs, unseen_blobs
from app.integrity.records import broken_rules
from tests.support.inline import work_off

FEATURES = [{"name": "maccs"}]
RIDGE = {"algorithm": {"name": "ridge"}}


@pytest.fixture
def mols(api, resources, file_id):
    made = api.post("datasets", json={"file_id": file_id, "name": "mols"})
    assert made.status_code == 202, made.text
    work_off(resources)


def body(*candidates, **params):
    asked = {"dataset": "mols", "features": FEATURES, "folds": 2, "repeats": 2}
    return {"kind": "compare", "params": asked | {"candidates": list(candidates)} | params}


@pytest.mark.req("S0-10", "goal-54")
def test_it_runs_as_chunks_and_leaves_its_files(api, resources, mols):
    estimate = api.post("jobs/estimate", json=body(RIDGE, RIDGE)).json()
    assert estimate["basis"]["jobs"] == 0
    made = api.post("jobs", json=body(RIDGE, RIDGE, y_scrambling=3, learning_curve=[0.5]))
    assert made.status_code == 202, made.text
    assert made.json()["queue"] == "cpu"
    work_off(resources)
    job = api.get(f"jobs/{made.json()['id']}").json()
    assert job["state"] == "succeeded", job["error"]
    # 2 x (4 folds + 4 of half the rows + 3 permutations of 2 folds)
    assert job["counts"] == {"trials_total": 28, "trials_ok": 28, "trials_failed": 0}
    assert len(api.get(f"jobs/{job['id']}/chunks").json()["items"]) == 28
    artifacts = api.get(f"jobs/{job['id']}/artifacts").json()["items"]
    files = {one["name"]: one for one in artifacts}
    assert set(files) == {"comparison.json", "scores.parquet", "comparison.html"}
    found = api.get(f"files/{files['comparison.json']['id']}/content").json()
    assert (
        found["metrics"]["rmse"]["candidates"][0]["mean"]
        == (job["result"]["metrics"]["rmse"]["candidates"][0]["mean"])
    )
    assert "scores" not in job["result"]["metrics"]["rmse"]["candidates"][0], "small in the row"
    assert found["winner"] is None
    assert set(job["result"]["fit_seconds"]) == {"ridge", "ridge #2"}
    assert broken_rules(resources.database, quiet=True) == []
    assert missing_blobs(resources.database, resources.storage) == []
    assert unseen_blobs(resources.database, resources.storage) == []
    again = api.post(f"jobs/{job['id']}/rerun", json={"params": {"y_scrambling": 0}})
    assert again.status_code == 202, again.text
    assert [one["pointer"] for one in again.json()["difference"]] == ["/params/y_scrambling"]
    # the same size as the one that has run
    estimate = api.post("jobs/estimate", json=body(RIDGE, RIDGE, learning_curve=[0.5])).json()
    assert estimate["basis"]["jobs"] == 1


def test_it_takes_its_data_set_from_a_workflow(api, resources, file_id):
    body_ = body(RIDGE)
    body_["params"]["dataset"] = {"$from": "read.result.dataset_ref"}
    read = {"kind": "ingest", "params": {"file_id": file_id, "name": "mols"}}
    made = api.post("workflows", json={"jobs": {"read": read, "choose": body_}})
    assert made.status_code == 202, made.text
    work_off(resources)
    done = api.get(f"workflows/{made.json()['id']}").json()
    assert done["state"] == "succeeded", {k: j["error"] for k, j in done["jobs"].items()}
    assert done["jobs"]["choose"]["result"]["metric"] == "rmse"


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"candidates": []}, "/params/candidates"),
        ({"candidates": [RIDGE] * 11}, "/params/candidates"),
        ({"candidates": [{"algorithm": {"name": "rigde"}}]}, "/params/candidates/0/algorithm"),
        (
            {"candidates": [RIDGE, {"algorithm": {"name": "ridge", "params": {"alfa": 1}}}]},
            "/params/candidates/1/algorithm/params/alfa",
        ),
        (
            {"candidates": [RIDGE | {"features": [{"name": "macs"}]}]},
            "/params/candidates/0/features/0",
        ),
        ({"metrics": ["rsme"]}, "/params/metrics/0"),
        ({"metrics": ["rmse", "rmse"]}, "/params/metrics"),
        ({"learning_curve": [1.0]}, "/params/learning_curve/0"),
        ({"folds": 1}, "/params/folds"),
        ({"y_scrambling": 1000}, "/params/candidates"),
        ({"split": {"name": "scafold"}}, "/params/split"),
        ({"task": "binary"}, "/params/candidates/0/algorithm"),
    ],
)
def test_what_is_wrong_is_named(api, mols, problem, params, pointer):
    response = api.post("jobs", json=body(RIDGE, **params))
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert response.json()["remedy"]
