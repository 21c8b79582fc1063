"""Quotas of projects and keys: counted on real rows, refused where something would go over them."""

from datetime import UTC, datetime, timedelta

import pytest

from app.access.keys import create_key
from app.core.ids import new_id
from app.db.base import DEFAULT_PROJECT_ID
from app.kinds.submission import room_of
from app.quotas.checking import month_end
from tests.support.datasets import registered

pytestmark = pytest.mark.req("goal-21")

TRAIN = {"kind": "train", "params": {"dataset": "mols"}}


@pytest.fixture
def lab(api, resources):
    """An ordinary key (`api`) and an administrator's (`api.admin`)."""
    with resources.database.session() as session:
        registered(session)
        key = create_key(session, name="admin", is_admin=True)
    api.admin = {"Authorization": f"Bearer {key.text}"}
    return api


def limit(lab, resources, **body):
    answer = lab.put("admin/quotas", json=body, headers=lab.admin)
    assert answer.status_code == 200, answer.text
    room_of(resources)._allowances.clear()  # what was admitted in this second is forgotten
    return answer.json()


def used(lab, scope, quota):
    answer = lab.get("usage")
    assert answer.status_code == 200, answer.text
    (found,) = [u for u in answer.json()["items"] if (u["scope"], u["quota"]) == (scope, quota)]
    return found["used"], found["limit"]


def refused(answer, quota, *words):
    assert answer.status_code == 429, answer.text
    body = answer.json()
    assert body["code"] == "quota_exceeded"
    assert all(word in body["detail"] for word in (quota, *words)), body["detail"]
    assert "retort usage" in body["remedy"]
    return int(answer.headers["retry-after"])


def test_nobody_has_a_quota_at_first(lab):
    for scope in ("project", "key"):
        for quota in ("queued_jobs", "gpu_hours_per_month", "stored_bytes"):
            assert used(lab, scope, quota)[1] is None
    assert lab.post("jobs", json=TRAIN).status_code == 202


@pytest.mark.parametrize(("key", "who"), [(None, "the project"), ("test", "key:test")])
def test_queued_jobs(lab, resources, key, who):
    limit(lab, resources, key=key, queued_jobs=2)
    assert [lab.post("jobs", json=TRAIN).status_code for _ in range(2)] == [202, 202]
    wait = refused(lab.post("jobs", json=TRAIN), "queued_jobs", who, "2 of 2 jobs")
    assert wait == 10
    assert used(lab, "project" if key is None else "key", "queued_jobs") == (2.0, 2.0)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET state = 'succeeded', finished_at = now()")
    assert lab.post("jobs", json=TRAIN).status_code == 202


def test_a_key_s_quota_is_not_another_key_s(lab, resources):
    limit(lab, resources, key="test", queued_jobs=0)
    refused(lab.post("jobs", json=TRAIN), "queued_jobs", "key:test")
    assert lab.post("jobs", json=TRAIN, headers=lab.admin).status_code == 202


def gpu_attempt(resources, began, ended, *, queue="gpu", by="key:test"):
    """Times are SQL."""
    with resources.database.cursor() as cursor:
        job_id = new_id()
        cursor.execute(
            "INSERT INTO jobs (id, project_id, kind, state, queue, params, created_by)"
            " VALUES (%s, %s, 'train', 'succeeded', %s, '{}', %s)",
            (job_id, DEFAULT_PROJECT_ID, queue, by),
        )
        cursor.execute(
            "INSERT INTO job_attempts (job_id, attempt, started_at, ended_at)"
            f" VALUES (%s, 1, {began}, {ended})",
            (job_id,),
        )


MONTH = "(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"


def test_gpu_hours_are_those_of_this_month(lab, resources):
    gpu_attempt(resources, f"{MONTH} - interval '5 h'", f"{MONTH} + interval '1 h'")
    gpu_attempt(resources, f"{MONTH} - interval '9 h'", f"{MONTH} - interval '1 h'")
    gpu_attempt(resources, "now() - interval '30 min'", "NULL")
    gpu_attempt(resources, "now() - interval '2 h'", "now()", queue="cpu")
    gpu_attempt(resources, MONTH, f"{MONTH} + interval '3 min'", by="key:admin")
    now = datetime.now(UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # 1 h, and what runs: 0.5 h, but in the first half hour of a month
    hours = 1 + min(0.5, (now - month) / timedelta(hours=1))
    assert used(lab, "key", "gpu_hours_per_month")[0] == pytest.approx(hours, abs=0.01)
    assert used(lab, "project", "gpu_hours_per_month")[0] == pytest.approx(hours + 0.05, abs=0.01)


def test_gpu_jobs_are_refused_when_the_hours_are_used_up_and_others_are_not(lab, resources):
    gpu_attempt(resources, MONTH, f"{MONTH} + interval '2 h'")
    limit(lab, resources, gpu_hours_per_month=1.5)
    asked = {"dataset": "mols", "algorithm": {"name": "mlp"}, "device": "cuda"}
    answer = lab.post("jobs", json={"kind": "train", "params": asked})
    wait = refused(answer, "gpu_hours_per_month", "the project", "2.0 of 1.5 GPU hours")
    assert 0 < wait <= 31 * 86_400
    assert lab.post("jobs", json=TRAIN).status_code == 202


def test_stored_bytes(lab, resources):
    content = b"smiles\n" + b"CCO\n" * 100
    limit(lab, resources, stored_bytes=len(content) + 200)
    send = {"files": {"file": ("a.csv", content)}}
    assert lab.post("files", **send).status_code == 201
    refused(lab.post("files", **send), "stored_bytes", "the file has 407")
    begin = {"name": "u", "size": 150}
    assert lab.post("files/uploads", json=begin).status_code == 201
    refused(lab.post("files/uploads", json=begin), "stored_bytes")
    assert used(lab, "key", "stored_bytes")[0] == len(content) + 150


def test_only_administrators_see_and_set_quotas(lab):
    for answer in (lab.get("admin/quotas"), lab.put("admin/quotas", json={"queued_jobs": 1})):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_what_is_set_is_shown_and_replaced_whole(lab, resources):
    limit(lab, resources, queued_jobs=5, stored_bytes=10**12)
    limit(lab, resources, key="test", requests_per_second=2.5, burst=7)
    items = lab.get("admin/quotas", headers=lab.admin).json()["items"]
    found = {item["name"]: item for item in items}
    assert (found["default"]["queued_jobs"], found["default"]["stored_bytes"]) == (5, 10**12)
    assert (found["test"]["requests_per_second"], found["test"]["burst"]) == (2.5, 7)
    limit(lab, resources, queued_jobs=6)
    assert lab.get("admin/quotas", headers=lab.admin).json()["items"][0]["stored_bytes"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "nobody", "queued_jobs": 1}, 404),
        ({"requests_per_second": 1}, 422),
        ({"queued_jobs": -1}, 422),
        ({"queued_job": 1}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(lab, body, status):
    assert lab.put("admin/quotas", json=body, headers=lab.admin).status_code == status


@pytest.mark.parametrize(
    ("now", "end"), [((2026, 11, 28), (2026, 12, 1)), ((2026, 12, 31), (2027, 1, 1))]
)
def test_the_month_ends_with_its_last_day(now, end):
    assert month_end(datetime(*now, 13, tzinfo=UTC)) == datetime(*end, tzinfo=UTC)
