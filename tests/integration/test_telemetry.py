"""GET /metrics: what Prometheus is told of requests, predictions, jobs, and of what is away."""

import time

import psycopg
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from psycopg.types.json import Jsonb

from app.core.ids import new_id
from app.jobs.workers import WorkerInfo, announce
from tests.support.datasets import registered

#: beside the API, not below it
ADDRESS = "http://retort/metrics"


@pytest.fixture
def gateway(api, resources):
    """With a data set to train on; its first scrape is done, and no state has to settle."""
    with resources.database.session() as session:
        registered(session)
    api.gateway.state.telemetry._tail._settled = 0.0
    scraped(api)
    return api


def scraped(api):
    """{(sample name, labels but `le`...): value}"""
    answer = api.get(ADDRESS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found.get((name, tuple(sorted(labels.items()))))


def train(api):
    answer = api.post("jobs", json={"kind": "train", "params": {"dataset": "mols"}})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def test_who_scrapes_needs_a_key(api):
    answer = api.get(ADDRESS, headers={"Authorization": "Bearer nobody"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_jobs_that_wait_and_workers_that_live(gateway, resources):
    for _ in range(3):
        train(gateway)
    info = WorkerInfo(name="cpu@a", queues=["cpu", "cpu_bulk"], processes=[1, 2], started_at=0.0)
    announce(resources.cache, info)
    found = scraped(gateway)
    assert value(found, "retort_jobs", queue="cpu", state="queued") == 3
    assert value(found, "retort_jobs", queue="cpu", state="running") == 0
    assert value(found, "retort_jobs", queue="gpu", state="queued") == 0
    assert 0 < value(found, "retort_job_oldest_queued_seconds", queue="cpu") < 60
    assert value(found, "retort_workers", queue="cpu") == 1
    assert value(found, "retort_worker_processes", queue="cpu") == 2
    assert value(found, "retort_workers", queue="gpu") == 0
    assert {value(found, "retort_up", part=p) for p in ("postgres", "redis", "cache")} == {1}


def test_what_happens_to_jobs_is_counted_once(gateway, resources):
    ended, failed = train(gateway), train(gateway)
    scraped(gateway)
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs SET state = 'succeeded', started_at = now() - interval '100 s',"
            " finished_at = now() WHERE id = %s",
            (ended,),
        )
        cursor.execute(
            "UPDATE jobs SET state = 'failed', error = %s WHERE id = %s",
            (Jsonb({"code": "rows_refused"}), failed),
        )
        cursor.execute(
            "INSERT INTO job_events (job_id, type, data) VALUES"
            ' (%(a)s, \'state\', \'{"trigger": "claim", "state": "running"}\'),'
            " (%(a)s, 'message', '{\"state\": \"running\"}'),"
            ' (%(a)s, \'state\', \'{"trigger": "succeed", "state": "succeeded"}\'),'
            ' (%(b)s, \'state\', \'{"trigger": "fail", "state": "failed"}\')',
            {"a": ended, "b": failed},
        )
    for _ in range(2):  # a second scrape counts nothing again
        found = scraped(gateway)
        name = "retort_job_transitions_total"
        kind = {"kind": "train"}
        assert value(found, name, trigger="succeed", state="succeeded", cause="none", **kind) == 1
        assert value(found, name, trigger="fail", state="failed", cause="rows_refused", **kind) == 1
        assert value(found, name, trigger="claim", state="running", cause="none", **kind) == 1
        assert value(found, "retort_job_wait_seconds_count", **kind) == 1
        run = {"state": "succeeded", **kind}
        assert value(found, "retort_job_run_seconds_sum", **run) == pytest.approx(100, abs=1)
        assert value(found, "retort_job_run_seconds_bucket", le="60.0", **run) == 0
        assert value(found, "retort_job_run_seconds_bucket", le="300.0", **run) == 1


def test_states_are_read_when_those_before_them_are_there(gateway):
    gateway.gateway.state.telemetry._tail._settled = 60.0
    job = train(gateway)
    gateway.post(f"jobs/{job}/cancel")
    labels = {"kind": "train", "trigger": "cancel", "state": "cancelled", "cause": "none"}
    assert value(scraped(gateway), "retort_job_transitions_total", **labels) is None
    gateway.gateway.state.telemetry._tail._settled = 0.0
    assert value(scraped(gateway), "retort_job_transitions_total", **labels) == 1


def test_a_lease_that_nobody_takes_back(gateway, resources):
    job = train(gateway)
    with resources.database.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs SET state = 'running', claim_token = id, worker = 'w',"
            " lease_expires_at = now() - interval '90 s' WHERE id = %s",
            (job,),
        )
    assert value(scraped(gateway), "retort_job_lease_overdue_seconds") == pytest.approx(90, abs=10)


def test_requests_are_counted_by_route_whichever_way_they_go(gateway):
    job = train(gateway)  # by the short cut
    gateway.post("jobs", json={"kind": "train", "params": {"dataset": "no"}})
    gateway.get(f"jobs/{job}")
    gateway.get(f"jobs/{job}", params={"wait": 0})  # the whole way
    gateway.get("jobs/not-an-id")
    gateway.get("registry/some-name")
    gateway.get("no/such/page")
    gateway.request("BREW", "jobs")
    found = scraped(gateway)

    def count(method, route, status):
        labels = {"method": method, "route": route, "status": str(status)}
        return value(found, "retort_http_request_seconds_count", **labels)

    assert count("POST", "/jobs", 202) == 1
    assert count("POST", "/jobs", 404) == 1
    assert count("GET", "/jobs/{job_id}", 200) == 2
    assert count("GET", "/jobs/{job_id}", 422) == 1
    assert count("GET", "/registry/{name}", 404) == 1
    assert count("GET", "none", 404) == 1
    assert count("other", "/jobs", 405) == 1
    routes = {dict(labels).get("route") for _, labels in found}
    assert not any("some-name" in (route or "") or job in (route or "") for route in routes)


def test_what_nobody_expected_is_counted_as_500(gateway, monkeypatch):
    async def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(gateway.gateway.state.desk, "read", fail)
    with pytest.raises(ZeroDivisionError):
        gateway.get(f"jobs/{new_id()}")
    labels = {"method": "GET", "route": "/jobs/{job_id}", "status": "500"}
    assert value(scraped(gateway), "retort_http_request_seconds_count", **labels) == 1


def test_questions_that_wait(gateway, resources):
    resources.redis.rpush("serving:questions", b"{}", b"{}")
    resources.redis.rpush("serving:questions:long", b"{}")
    assert value(scraped(gateway), "retort_predictions_waiting") == 3


@pytest.mark.parametrize(
    ("part", "where", "error"),
    [
        ("postgres", "api.telemetry.read_figures", psycopg.OperationalError("gone")),
        ("cache", "api.telemetry.alive_workers", redis.ConnectionError("gone")),
    ],
)
def test_what_is_away_is_told_and_the_rest_is_given(gateway, monkeypatch, part, where, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(where, fail)
    found = scraped(gateway)
    assert value(found, "retort_up", part=part) == 0
    assert value(found, "retort_up", part="redis") == 1
    assert value(found, "process_resident_memory_bytes") > 1e6


def test_a_scrape_of_many_states_is_continued(gateway, resources, monkeypatch):
    monkeypatch.setattr("app.monitoring.transitions._MOST", 2)
    job = train(gateway)
    with resources.database.cursor() as cursor:
        for _ in range(5):
            cursor.execute(
                "INSERT INTO job_events (job_id, type, data) VALUES"
                ' (%s, \'state\', \'{"trigger": "drain", "state": "queued"}\')',
                (job,),
            )
    labels = {"kind": "train", "trigger": "drain", "state": "queued", "cause": "none"}
    deadline = time.monotonic() + 10
    while value(scraped(gateway), "retort_job_transitions_total", **labels) != 5:
        assert time.monotonic() < deadline
