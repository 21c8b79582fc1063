"""Schedules over HTTP."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.db.audit import AuditRow

pytestmark = pytest.mark.req("goal-22")

FEATURIZE = {"kind": "featurize", "params": {"dataset": "mols", "features": [{"name": "maccs"}]}}
BODY = {"name": "nightly", "cron": "0 2 * * SUN", "timezone": "Europe/Berlin", "job": FEATURIZE}


@pytest.fixture
def made(api, mols):
    answer = api.post("schedules", json=BODY)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer, status, code, pointer=None):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["code"] == code, body
    assert body["remedy"]
    if pointer is not None:
        assert body["errors"][0]["pointer"] == pointer
    return body


def test_it_is_made_shown_and_listed_with_its_next_three_runs(api, made):
    assert (made["kind"], made["enabled"], made["last_run"]) == ("featurize", True, None)
    runs = [datetime.fromisoformat(run["at"]) for run in made["next_runs"]]
    assert len(runs) == 3
    assert all(
        b - a in (timedelta(days=7), timedelta(days=7, hours=1), timedelta(days=6, hours=23))
        for a, b in pairwise(runs)
    )
    for run in made["next_runs"]:
        local = datetime.fromisoformat(run["local"])
        assert (local.weekday(), local.hour, local.minute) == (6, 2, 0)
        assert local == datetime.fromisoformat(run["at"])
    assert runs[0] > datetime.now(UTC) - timedelta(minutes=1)
    assert api.get("schedules/nightly").json() == made
    assert api.get("schedules").json()["items"] == [made]


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"cron": "0 2 * * SON"}, "invalid_cron", "/cron"),
        ({"cron": "0 0 30 2 *"}, "invalid_cron", "/cron"),
        ({"name": "preview"}, "invalid_request", "/name"),  # a route: it could not be read again
        ({"timezone": "Europe/Berln"}, "invalid_timezone", "/timezone"),
        ({"job": None}, "invalid_schedule", "/job"),
        ({"retrain": {"model": "m", "evaluate_on": "e"}}, "invalid_schedule", "/job"),
        ({"job": {"kind": "trane", "params": {}}}, "invalid_input", "/job/kind"),
        (
            {"job": {"kind": "train", "params": {"datset": "d"}}},
            "invalid_request",
            "/job/params/dataset",
        ),
        (
            {"job": {"kind": "train", "params": {"dataset": {"$from": "a.result.b"}}}},
            "invalid_input",
            "/job/params",
        ),
        ({"missed": "never"}, "invalid_request", "/missed"),
        (
            {"start_at": "2027-01-02T00:00:00Z", "end_at": "2027-01-01T00:00:00Z"},
            "invalid_schedule",
            "/end_at",
        ),
    ],
)
def test_what_is_wrong_is_named(api, mols, change, code, pointer):
    refused(api.post("schedules", json={**BODY, **change}), 422, code, pointer)


def test_a_job_that_names_nothing_is_refused_as_post_jobs_would(api, mols):
    job = {"kind": "featurize", "params": {"dataset": "nothing"}}
    refused(
        api.post("schedules", json={**BODY, "job": job}), 404, "not_found", "/job/params/dataset"
    )
    job = {"kind": "train", "params": {"dataset": "mols", "algorithm": {"name": "rigde"}}}
    body = refused(api.post("schedules", json={**BODY, "job": job}), 422, "unknown_name")
    assert body["errors"][0]["pointer"] == "/job/params/algorithm"


def test_the_same_key_makes_it_once_and_a_name_is_free_again_when_deleted(api, made):
    headers = {"Idempotency-Key": "a-key-of-mine"}
    body = {**BODY, "name": "other"}
    first = api.post("schedules", json=body, headers=headers)
    again = api.post("schedules", json=body, headers=headers)
    assert (first.json()["id"], again.headers["Idempotency-Replayed"]) == (
        again.json()["id"],
        "true",
    )
    other = api.post("schedules", json={**body, "cron": "@daily"}, headers=headers)
    refused(other, 422, "idempotency_key_reused")
    refused(api.post("schedules", json=BODY), 409, "schedule_exists")
    refused(api.delete("schedules/nightly"), 428, "precondition_required")
    refused(
        api.delete("schedules/nightly", headers={"If-Match": '"9"'}), 412, "precondition_failed"
    )
    assert api.delete("schedules/nightly", headers={"If-Match": '"1"'}).status_code == 204
    body = refused(api.get("schedules/nightly"), 404, "not_found")
    assert "other" in body["remedy"]
    assert api.post("schedules", json=BODY).status_code == 201


def test_it_is_changed_by_its_etag(api, made):
    etag = api.get("schedules/nightly").headers["ETag"]
    change = {"cron": "30 3 * * *", "missed": "all"}
    refused(api.patch("schedules/nightly", json=change), 428, "precondition_required")
    answer = api.patch("schedules/nightly", json=change, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    assert answer.json()["next_runs"][0]["local"][11:16] == "03:30"
    assert answer.json()["timezone"] == "Europe/Berlin"
    stale = api.patch("schedules/nightly", json=change, headers={"If-Match": etag})
    refused(stale, 412, "precondition_failed")
    wrong = api.patch("schedules/nightly", json={"cron": "x"}, headers={"If-Match": "*"})
    refused(wrong, 422, "invalid_cron", "/cron")


def test_what_does_not_move_its_time_leaves_a_due_run_due(api, made, cron):
    cron.rows("UPDATE schedules SET next_at = '2026-01-04T01:00Z' RETURNING id")
    api.patch("schedules/nightly", json={"description": "x"}, headers={"If-Match": "*"})
    (row,) = cron.rows("SELECT next_at FROM schedules")
    assert row["next_at"] == datetime(2026, 1, 4, 1, tzinfo=UTC)


def test_paused_it_does_not_fire_and_makes_up_for_nothing(api, made, cron):
    paused = api.post("schedules/nightly/pause").json()
    assert (paused["enabled"], paused["next_runs"]) == (False, [])
    assert cron.fire("2030-01-01T00:00Z") == []
    resumed = api.post("schedules/nightly/resume").json()
    assert resumed["next_runs"] == made["next_runs"]
    assert cron.runs() == []


def test_it_runs_now_once_for_a_key_and_not_beside_an_open_run(api, made, cron):
    headers = {"Idempotency-Key": "run-it-now"}
    first = api.post("schedules/nightly/run", headers=headers)
    assert first.status_code == 202, first.text
    again = api.post("schedules/nightly/run", headers=headers)
    assert again.json()["id"] == first.json()["id"]
    job = api.get(f"jobs/{first.json()['job_ids'][0]}").json()
    assert job["labels"]["schedule_run"] == first.json()["id"]
    refused(api.post("schedules/nightly/run"), 409, "run_open")
    assert len(cron.runs()) == 1
    found = api.get("schedules/nightly/runs").json()["items"]
    assert [(run["trigger"], run["decided_by"]) for run in found] == [("manual", "key:test")]
    assert api.get("schedules/nightly").json()["last_run"]["id"] == first.json()["id"]
    # by hand it does not change what comes
    assert api.get("schedules/nightly").json()["next_runs"] == made["next_runs"]


def test_a_preview_shows_the_night_in_which_clocks_change(api):
    body = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "after": "2027-03-27T12:00:00Z"}
    found = api.post("schedules/preview", json=body).json()
    assert [run["local"] for run in found["items"]][:2] == [
        "2027-03-28T03:00:00+02:00",
        "2027-03-29T02:30:00+02:00",
    ]
    assert found["items"][0]["at"] == "2027-03-28T01:00:00Z"
    assert "02:30" in found["explanation"]
    refused(api.post("schedules/preview", json={"cron": "x"}), 422, "invalid_cron", "/cron")


def test_history_is_paged_and_only_of_ones_own_project(api, made, cron):
    cron.rows("UPDATE schedules SET overlap = 'allow' RETURNING id")
    ids = [api.post("schedules/nightly/run").json()["id"] for _ in range(3)]
    first = api.get("schedules/nightly/runs", params={"limit": 2}).json()
    rest = api.get(
        "schedules/nightly/runs", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [run["id"] for run in first["items"] + rest["items"]] == ids[::-1]
    refused(api.get(f"schedules/nightly/runs/{made['id']}"), 404, "not_found")


def test_every_change_is_in_the_audit_log(api, made, resources):
    api.post("schedules/nightly/run")
    api.post("schedules/nightly/pause")
    api.delete("schedules/nightly", headers={"If-Match": "*"})
    with resources.database.session() as session:
        found = session.query(AuditRow).order_by(AuditRow.at).all()
    found = [row for row in found if row.action != "jobs.submit"]
    assert [(row.action, row.resource, row.principal) for row in found] == [
        (f"schedules.{action}", "schedules/nightly", "key:test")
        for action in ("create", "run", "pause", "delete")
    ]
