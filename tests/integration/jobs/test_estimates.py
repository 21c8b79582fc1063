"""Estimates over HTTP, against what real jobs then took."""

import os
from pathlib import Path

import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.history import past_jobs
from app.kinds.estimate import Asked, estimate_from
from tests.support.inline import work_off

LINES = (Path(__file__).parents[3] / "examples" / "data" / "freesolv.csv").read_bytes().splitlines()


def train(dataset, algorithm="random_forest", **params):
    return {
        "kind": "train",
        "params": {
            "dataset": dataset,
            "algorithm": {"name": algorithm, "params": params},
            "features": [{"name": "morgan_counts", "params": {"fp_size": 256}}],
            "bootstrap": 50,
            "calibration_folds": 2,
        },
    }


def make_dataset(api, resources, rows):
    content = b"\n".join(LINES[: rows + 1])
    file_id = api.post("files", files={"file": (f"{rows}.csv", content)}).json()["id"]
    made = api.post("datasets", json={"file_id": file_id, "name": f"d{rows}"})
    assert made.status_code == 202, made.text
    return f"d{rows}"


def run(api, resources, body):
    """The job took what the processors worked on it: another suite may run beside this one."""
    made = api.post("jobs", json=body)
    assert made.status_code == 202, made.text
    before = processor_seconds()
    work_off(resources)
    taken = processor_seconds() - before
    done = api.get(f"jobs/{made.json()['id']}").json()
    assert done["state"] == "succeeded", done["error"]
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE job_attempts SET ended_at = started_at + make_interval(secs => %s)"
            " WHERE job_id = %s",
            (taken, done["id"]),
        )
        assert cursor.rowcount == 1
    return done


def processor_seconds():
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


@pytest.mark.req("goal-23")
@pytest.mark.slow
def test_estimates_of_real_jobs_are_within_a_factor_of_two_for_four_of_five(api, resources):
    names = [make_dataset(api, resources, rows) for rows in (80, 160, 320, 640)]
    work_off(resources)
    first = api.post("jobs/estimate", json=train("d80")).json()
    assert (first["seconds"], first["basis"]["jobs"]) == (None, 0)
    for name in names:
        for algorithm, params in (("random_forest", {"n_estimators": 200}), ("ridge", {})):
            for _ in range(2):
                run(api, resources, train(name, algorithm, **params))
    history = past_jobs(resources.database, DEFAULT_PROJECT_ID)
    jobs = [job for job in history if job.kind == "train"]
    assert len(jobs) == 16
    good = 0
    for job in jobs:
        others = [one for one in history if one is not job]
        asked = Asked(kind="train", params=job.params, rows=job.rows, file_bytes=job.file_bytes)
        found = estimate_from(asked, others)
        good += 0.5 <= found["seconds"]["typical"] / job.seconds <= 2
        memory = found["peak_memory_bytes"]["typical"]
        assert 0.5 <= memory / job.peak_memory_bytes <= 2
    assert good >= 0.8 * len(jobs), [(job.rows, job.seconds) for job in jobs]

    answer = api.post("jobs/estimate", json=train("d640", n_estimators=200))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["basis"]["jobs"] == 5
    assert body["seconds"]["low"] <= body["seconds"]["typical"] <= body["seconds"]["high"]
    assert body["peak_memory_bytes"]["typical"] > 50 << 20
    assert "scaled to" in body["basis"]["how"]


def test_an_estimate_validates_as_submitting_does_and_stores_nothing(
    api, problem, ingest, stranger
):
    wrong = api.post("jobs/estimate", json={"kind": "tune", "params": {}})
    assert problem(wrong, 422, "invalid_input")["errors"][0]["pointer"] == "/kind"
    wrong = api.post("jobs/estimate", json=train("nothing"))
    assert problem(wrong, 404, "not_found")["errors"][0]["pointer"] == "/params/dataset"
    wrong = api.post("jobs/estimate", json={"kind": "train", "params": {"dataset": 3}})
    assert wrong.json()["errors"][0]["pointer"] == "/params/dataset"
    assert api.post("jobs/estimate", json=ingest).json()["basis"]["jobs"] == 0
    assert api.get("jobs").json()["items"] == []
    assert api.get("datasets").json()["items"] == []
    problem(api.post("jobs/estimate", json=ingest, headers=stranger), 404, "not_found")


def test_another_projects_history_is_not_used(api, resources, stranger):
    make_dataset(api, resources, 30)
    work_off(resources)
    content = {"file": ("mine.csv", b"\n".join(LINES[:31]))}
    mine = api.post("files", files=content).json()["id"]
    theirs = api.post("files", files=content, headers=stranger).json()["id"]

    def ask(file_id, **headers):
        body = {"kind": "ingest", "params": {"file_id": file_id, "name": "x"}}
        return api.post("jobs/estimate", json=body, **headers).json()["basis"]["jobs"]

    assert ask(mine) == 1
    assert ask(theirs, headers=stranger) == 0
