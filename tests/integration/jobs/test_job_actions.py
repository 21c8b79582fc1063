"""Rerun with edits, relabel, many at once: over HTTP, on the real database."""

import pytest

from app.core.errors import InvalidInput
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.claim import Owner, claim_job
from app.jobs.finish import end_badly, succeed
from app.jobs.store import get_job, list_events

OWNER = Owner(worker="test", pid=1)


def claim(resources, job):
    return claim_job(resources.database, job["id"], OWNER, lease_seconds=60)


def fail(resources, job):
    end_badly(resources.database, claim(resources, job), InvalidInput("no such column"))


def ready(resources, dataset):
    """As its ingest leaves it."""
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE datasets SET manifest_key = 'k', sha256 = 's' WHERE id = %s", (dataset,)
        )


def featurize(name):
    return {"kind": "featurize", "params": {"dataset": name}}


# ---- rerun


@pytest.mark.req("goal-9")
def test_a_rerun_shows_what_its_edits_changed(api, ingest):
    job = api.post("jobs", json=ingest | {"labels": {"n": "1", "old": "x"}, "priority": 7}).json()
    edits = {
        "params": {"duplicates": "keep_all", "roles": {"y": "target"}, "format": None},
        "labels": {"n": "2", "old": None},
        "priority": 3,
        "deadline_seconds": 60,
    }
    answer = api.post(f"jobs/{job['id']}/rerun", json=edits)
    assert answer.status_code == 202
    again = answer.json()
    assert answer.headers["location"].endswith(again["id"])
    assert (again["rerun_of"], again["labels"], again["priority"]) == (job["id"], {"n": "2"}, 3)
    assert again["deadline_at"]
    changes = {c["pointer"]: (c["before"], c["after"]) for c in again["difference"]}
    assert changes == {
        "/params/duplicates": ("auto", "keep_all"),
        "/params/roles/y": (None, "target"),
        "/labels/n": ("1", "2"),
        "/labels/old": ("x", None),
        "/priority": (7, 3),
        "/deadline_seconds": (None, 60.0),
    }


@pytest.mark.req("goal-9")
def test_a_rerun_without_edits_is_the_same_job_again(api, ingest):
    job = api.post("jobs", json=ingest | {"priority": 2, "labels": {"a": "b"}}).json()
    again = api.post(f"jobs/{job['id']}/rerun", json={}).json()
    assert again["difference"] == []
    assert (again["priority"], again["labels"]) == (2, {"a": "b"})


@pytest.mark.req("goal-9")
def test_a_dry_run_submits_nothing(api, ingest, problem):
    job = api.post("jobs", json=ingest).json()
    patch = {"params": {"max_bad_fraction": 0.1}, "dry_run": True}
    answer = api.post(f"jobs/{job['id']}/rerun", json=patch)
    assert answer.status_code == 200
    assert answer.json()["params"]["max_bad_fraction"] == 0.1
    assert answer.json()["difference"] == [
        {"pointer": "/params/max_bad_fraction", "before": 0.5, "after": 0.1}
    ]
    document = api.gateway.openapi()
    documented = document["paths"]["/api/v1/jobs/{job_id}/rerun"]["post"]["responses"]
    (schema,) = documented["200"]["content"]["application/json"]["schema"].values()
    tried = document["components"]["schemas"][schema.rsplit("/", 1)[1]]
    assert tried["properties"].keys() == answer.json().keys()
    missing = {"params": {"file_id": "00000000-0000-7000-8000-000000000000"}, "dry_run": True}
    body = problem(api.post(f"jobs/{job['id']}/rerun", json=missing), 404, "not_found")
    assert body["errors"][0]["pointer"] == "/params/file_id"
    assert len(api.get("jobs").json()["items"]) == 1
    assert [d["number"] for d in api.get("datasets").json()["items"]] == [1], "nor a data set"


@pytest.mark.req("goal-9")
def test_a_rerun_takes_the_newest_version_of_what_was_named(api, ingest, resources):
    first = api.post("jobs", json=ingest).json()["params"]["dataset_id"]
    ready(resources, first)
    job = api.post("jobs", json=featurize("mols")).json()
    pinned = api.post("jobs", json=featurize("mols:1")).json()
    assert job["params"]["dataset_id"] == first
    second = api.post("jobs", json=ingest).json()["params"]["dataset_id"]
    ready(resources, second)
    again = api.post(f"jobs/{job['id']}/rerun", json={}).json()
    assert again["params"]["dataset_id"] == second
    again = api.post(f"jobs/{pinned['id']}/rerun", json={}).json()
    assert again["params"]["dataset_id"] == first
    other = api.post(f"jobs/{job['id']}/rerun", json={"params": {"dataset": "mols:1"}}).json()
    assert other["params"]["dataset_id"] == first


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"duplicates": "never"}, "/params/duplicates"),
        ({"roles": {"a/b": "king"}}, "/params/roles/a~1b"),
        ({"nonsense": 1}, "/params/nonsense"),
        ({"name": None}, "/params/name"),
        ({"dataset_id": "00000000-0000-7000-8000-000000000000"}, "/params/dataset_id"),
    ],
)
def test_a_patch_that_is_not_valid_names_the_field(api, ingest, problem, patch, pointer):
    job = api.post("jobs", json=ingest).json()
    answer = api.post(f"jobs/{job['id']}/rerun", json={"params": patch})
    assert problem(answer, 422, "invalid_request")["errors"][0]["pointer"] == pointer
    assert len(api.get("jobs").json()["items"]) == 1


# ---- retry


def test_a_job_that_succeeded_is_not_retried(api, ingest, resources, problem):
    job = api.post("jobs", json=ingest).json()
    succeed(resources.database, claim(resources, job), Outcome(result={}))
    body = problem(api.post(f"jobs/{job['id']}/retry"), 409, "conflict")
    assert "rerun" in body["remedy"]
    assert "rejected" in body["remedy"]


def test_a_retry_waits_for_what_the_job_needs(api, ingest, resources, problem):
    need = api.post("jobs", json=ingest).json()
    job = api.post("jobs", json=featurize("mols") | {"needs": [need["id"]]}).json()
    fail(resources, need)
    assert api.get(f"jobs/{job['id']}").json()["error"]["code"] == "dependency_failed"
    body = problem(api.post(f"jobs/{job['id']}/retry"), 409, "conflict")
    assert need["id"] in body["detail"]
    assert api.post(f"jobs/{need['id']}/retry").json()["state"] == "queued"
    succeed(resources.database, claim(resources, need), Outcome(result={}))
    assert api.post(f"jobs/{job['id']}/retry").json()["state"] == "queued"


# ---- labels


def test_labels_are_patched_and_told(api, ingest, resources):
    job = api.post("jobs", json=ingest | {"labels": {"a": "1", "b": "2"}}).json()
    patch = {"labels": {"a": None, "c": "3"}}
    answer = api.patch(f"jobs/{job['id']}", json=patch)
    assert answer.json()["labels"] == {"b": "2", "c": "3"}
    assert api.get(f"jobs/{job['id']}").headers["etag"] == answer.headers["etag"]
    assert answer.json()["version"] == job["version"] + 1
    told = list_events(resources.database, job["id"])[-1]
    assert (told.type, told.data["by"]) == ("labels", "key:test")
    assert api.patch(f"jobs/{job['id']}", json=patch).json()["version"] == job["version"] + 1


def test_a_stale_if_match_changes_nothing(api, ingest, problem):
    job = api.post("jobs", json=ingest).json()
    url = f"jobs/{job['id']}"
    etag = api.get(url).headers["etag"]
    first = api.patch(url, json={"labels": {"a": "1"}}, headers={"If-Match": etag})
    assert first.status_code == 200
    stale = api.patch(url, json={"labels": {"a": "2"}}, headers={"If-Match": etag})
    problem(stale, 412, "precondition_failed")
    assert api.get(url).json()["labels"] == {"a": "1"}
    fresh = {"If-Match": first.headers["etag"]}
    assert api.patch(url, json={"labels": {"a": "2"}}, headers=fresh).status_code == 200


def test_labels_have_a_limit_and_their_project(api, ingest, problem, stranger):
    job = api.post("jobs", json=ingest).json()
    url = f"jobs/{job['id']}"
    fifty = {f"l{n}": "x" for n in range(50)}
    assert len(api.patch(url, json={"labels": fifty}).json()["labels"]) == 50
    body = problem(api.patch(url, json={"labels": {"more": "x"}}), 422, "invalid_input")
    assert body["errors"][0]["pointer"] == "/labels"
    assert api.patch(url, json={"labels": {"more": "x", "l0": None}}).status_code == 200
    problem(api.patch(url, json={"labels": {"a": "b"}}, headers=stranger), 404, "not_found")


# ---- many at once


def bulk(api, action, filter_, *, dry_run=False, **more):
    body = {"action": action, "filter": filter_, "dry_run": dry_run, **more}
    answer = api.post("jobs/bulk", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.req("goal-10")
def test_bulk_cancel_counts_first_and_then_cancels_what_it_counted(
    api, ingest, resources, stranger
):
    jobs = [api.post("jobs", json=ingest | {"labels": {"batch": "a"}}).json() for _ in range(5)]
    other = api.post("jobs", json=ingest | {"labels": {"batch": "b"}}).json()
    claim(resources, jobs[0])
    done = claim(resources, jobs[1])
    succeed(resources.database, done, Outcome(result={}))
    ids = [job["id"] for job in (jobs[0], *jobs[2:])]
    counted = bulk(api, "cancel", {"labels": {"batch": "a"}}, dry_run=True)
    assert counted == {"matched": 5, "changed": 4, "jobs": ids, "dry_run": True}
    assert api.get("jobs?state=cancelled").json()["items"] == []
    foreign = {"action": "cancel", "filter": {"labels": {"batch": "a"}}, "dry_run": False}
    nothing = api.post("jobs/bulk", json=foreign, headers=stranger).json()
    assert (nothing["matched"], nothing["changed"]) == (0, 0)
    changed = bulk(api, "cancel", {"labels": {"batch": "a"}})
    assert (changed["matched"], changed["changed"], sorted(changed["jobs"])) == (5, 4, ids)
    states = {job["id"]: api.get(f"jobs/{job['id']}").json() for job in jobs}
    assert states[jobs[0]["id"]]["cancel_requested"]
    assert states[jobs[1]["id"]]["state"] == "succeeded"
    assert {states[job["id"]]["state"] for job in jobs[2:]} == {"cancelled"}
    assert api.get(f"jobs/{other['id']}").json()["state"] == "queued"
    for job in (jobs[0], jobs[2]):
        events = list_events(resources.database, job["id"])
        told = [event.data for event in events if "bulk" in event.data]
        assert len(told) == 1, "one row of the log for each job"
        assert told[0]["by"] == "key:test"
        assert told[0]["bulk"]["filter"] == {"labels": {"batch": "a"}}
    assert bulk(api, "cancel", {"labels": {"batch": "a"}})["changed"] == 0


@pytest.mark.req("goal-10")
def test_bulk_cancel_fails_what_needed_the_cancelled(api, ingest, resources):
    need = api.post("jobs", json=ingest).json()
    job = api.post("jobs", json=featurize("mols") | {"needs": [need["id"]]}).json()
    assert bulk(api, "cancel", {"kind": "ingest"})["jobs"] == [need["id"]]
    assert api.get(f"jobs/{job['id']}").json()["error"]["code"] == "dependency_failed"


@pytest.mark.req("goal-10")
def test_bulk_retry_queues_and_publishes_the_failed(api, ingest, resources):
    jobs = [api.post("jobs", json=ingest).json() for _ in range(3)]
    for job in jobs[:2]:
        fail(resources, job)
    counted = bulk(api, "retry", {"state": "failed", "kind": "ingest"}, dry_run=True)
    assert counted["jobs"] == [job["id"] for job in jobs[:2]]
    assert bulk(api, "retry", {"state": "failed", "kind": "ingest"})["jobs"] == counted["jobs"]
    for job in jobs[:2]:
        fresh = get_job(resources.database, DEFAULT_PROJECT_ID, job["id"])
        assert (fresh.state, fresh.dispatched_at is not None) == ("queued", True)


@pytest.mark.req("goal-10")
def test_bulk_relabel_by_time_caller_and_ids(api, ingest):
    jobs = [api.post("jobs", json=ingest).json() for _ in range(3)]
    middle = jobs[1]["created_at"]
    patch = {"labels": {"kept": "yes"}}
    assert bulk(api, "relabel", {"created_after": middle}, **patch)["jobs"] == [jobs[2]["id"]]
    assert bulk(api, "relabel", {"created_before": middle}, **patch)["jobs"] == [jobs[0]["id"]]
    assert bulk(api, "relabel", {"created_by": "key:other"}, **patch)["matched"] == 0
    two = {"ids": [jobs[0]["id"], jobs[1]["id"]], "created_by": "key:test"}
    changed = bulk(api, "relabel", two, **patch)
    assert (changed["matched"], changed["jobs"]) == (2, [jobs[1]["id"]])
    found = api.get("jobs", params={"label": "kept:yes"}).json()["items"]
    assert [job["id"] for job in found] == [job["id"] for job in reversed(jobs)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "cancel", "filter": {}, "dry_run": True}, "/filter"),
        ({"action": "cancel", "filter": {"kind": "train"}}, "/dry_run"),
        ({"action": "delete", "filter": {"kind": "train"}, "dry_run": True}, "/action"),
        ({"action": "cancel", "filter": {"color": 1}, "dry_run": True}, "/filter/color"),
        ({"action": "relabel", "filter": {"kind": "train"}, "dry_run": True}, "/"),
        ({"action": "cancel", "filter": {"created_after": "12:00"}, "dry_run": True}, None),
    ],
)
def test_a_bulk_request_says_what_it_means(api, body, pointer):
    answer = api.post("jobs/bulk", json=body)
    assert answer.status_code == 422
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_more_jobs_than_one_transaction_takes(api, ingest, resources, monkeypatch):
    monkeypatch.setattr("app.jobs.bulk._BATCH", 2)
    jobs = [api.post("jobs", json=ingest).json() for _ in range(5)]
    assert bulk(api, "cancel", {"kind": "ingest"})["changed"] == 5
    monkeypatch.setattr("app.jobs.bulk.MAX_JOBS", 3)
    label = {"labels": {"a": "b"}}
    first = bulk(api, "relabel", {"kind": "ingest"}, **label)
    assert (first["matched"], first["jobs"]) == (5, [job["id"] for job in jobs[:3]])
    assert bulk(api, "relabel", {"kind": "ingest"}, **label)["changed"] == 2


# ---- lists


def test_lists_are_filtered_by_caller_time_and_words(api, ingest):
    first = api.post("jobs", json=ingest | {"client_ref": "order 17_a"}).json()
    second = api.post("jobs", json=ingest | {"labels": {"assay": "Solubility"}}).json()

    def found(**filters):
        answer = api.get("jobs", params=filters)
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["items"]]

    assert found(created_by="key:test") == [second["id"], first["id"]]
    assert found(created_by="key:x") == []
    assert found(created_after=first["created_at"]) == [second["id"]]
    assert found(created_before=second["created_at"]) == [first["id"]]
    assert found(q="17_a") == [first["id"]]
    assert found(q="17%a") == [], "a percent sign stands for itself"
    assert found(q="solub") == [second["id"]]
    assert found(q="mols") == [second["id"], first["id"]]
    assert found(q=first["id"][-12:]) == [first["id"]]
