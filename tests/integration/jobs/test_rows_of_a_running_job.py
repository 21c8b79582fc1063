"""Rows of a predict job are read by their numbers while it runs, and after."""

import pytest

from tasks import predict as task
from tests.support.inline import work_off

ROWS = 95


@pytest.fixture
def model(api, resources):
    lines = [f"{'C' * (n % 30 + 1)}{group},{n % 30}" for n, group in enumerate("ONFS" * 30)]
    content = "\n".join(["smiles,y", *lines]).encode()
    file_id = api.post("files", files={"file": ("f.csv", content)}).json()["id"]
    train = {
        "dataset": "chains",
        "algorithm": {"name": "ridge"},
        "features": [{"name": "maccs"}],
        "bootstrap": 0,
        "calibration_folds": 2,
    }
    jobs = {
        "read": {
            "kind": "ingest",
            "params": {"file_id": file_id, "name": "chains", "roles": {"y": "target"}},
        },
        "train": {"kind": "train", "needs": ["read"], "params": train},
    }
    assert api.post("workflows", json={"jobs": jobs}).status_code == 202
    work_off(resources)
    return "chains"


def test_rows_are_there_as_soon_as_their_chunk_has_ended(api, resources, model):
    lines = ["id,smiles", *(f"m{n},{'C' * (n % 20 + 1)}O" for n in range(1, ROWS)), "bad,C(("]
    content = "\n".join(lines).encode()
    file_id = api.post("files", files={"file": ("g.csv", content)}).json()["id"]
    params = {"model": model, "file_id": file_id, "chunk_rows": 1000}
    whole = api.post("jobs", json={"kind": "predict", "params": params}).json()["id"]

    def rows(job, **query):
        answer = api.get(f"jobs/{job}/predictions", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    nothing = rows(whole)
    assert (nothing["items"], nothing["rows_total"], nothing["state"]) == ([], None, "queued")
    work_off(resources)  # leaves the features behind, of which chunks can be small
    params["chunk_rows"] = 20
    job = api.post("jobs", json={"kind": "predict", "params": params}).json()["id"]
    task.plan(job)
    for number in (0, 2):
        task.chunk(job, number)

    found = rows(job, start=11, limit=60)
    assert found["state"] == "running"
    assert found["rows_total"] == ROWS
    assert [item["row"] for item in found["items"]] == [*range(11, 21), *range(41, 61)]
    assert found["missing"] == [{"first": 21, "last": 40}, {"first": 61, "last": 70}]
    assert found["next_cursor"] == "71"
    assert found["items"][0]["id"] == "m11"
    progress = api.get(f"jobs/{job}").json()["progress"]
    assert (progress["done"], progress["total"]) == (40, ROWS)
    assert progress["per_second"] > 0
    expected = (ROWS - 40) / progress["per_second"]
    assert progress["remaining_seconds"] == pytest.approx(expected, rel=0.1, abs=0.2)

    work_off(resources)
    ended = rows(job, start=11, limit=60)
    assert [item["row"] for item in ended["items"]] == list(range(11, 71))
    assert ended["missing"] == []
    assert ended["items"][:10] == found["items"][:10]
    last = rows(job, cursor=ended["next_cursor"])
    assert [item["row"] for item in last["items"]] == list(range(71, ROWS + 1))
    assert (last["next_cursor"], last["state"]) == (None, "succeeded")
    assert last["items"][-1]["status"] == "error"
    assert api.get(f"jobs/{job}").json()["progress"]["remaining_seconds"] == 0
    assert rows(whole, start=ROWS + 10)["items"] == []


def test_other_jobs_answer_no_rows(api, resources, model):
    (train,) = api.get("jobs", params={"kind": "train"}).json()["items"]
    answer = api.get(f"jobs/{train['id']}/predictions")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_rows_here")
    nobody = "00000000-0000-7000-8000-000000000000"
    assert api.get(f"jobs/{nobody}/predictions").status_code == 404
