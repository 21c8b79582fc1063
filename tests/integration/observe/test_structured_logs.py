"""RETORT_LOG_FORMAT=json with real processes: a job is found in the lines of all of them."""

import pytest

from tests.support.observed import lines, observed

CORRELATION = "order-4711"


@pytest.fixture
def told(resources, retort_environment, fast_leases, tmp_path):
    """({process: its lines}, job, divided job, key, request id)"""
    environment = {
        **retort_environment,
        **fast_leases,
        "RETORT_LOG_FORMAT": "json",
        "RETORT_ACCESS_LOG": "true",
    }
    with observed(resources, environment, tmp_path) as (gateway, worker):
        asked = {"folder": str(tmp_path), "correlated": CORRELATION}
        headers = {"X-Request-ID": "request-42"}
        posted = gateway.http.post("/probe/probe_alone", json=asked, headers=headers)
        job = posted.raise_for_status().json()["id"]
        assert gateway.finished(job)["state"] == "succeeded"
        posted = gateway.http.post("/probe/probe", json={**asked, "chunks": 3})
        divided = posted.raise_for_status().json()["id"]
        assert gateway.finished(divided)["state"] == "succeeded"
        # no key may get into a line, not even where a client puts one
        gateway.http.get(f"/api/v1/jobs?q={gateway.key}")
        gateway.http.get("/api/v1/jobs", headers={"X-Request-ID": gateway.key})
    texts = [gateway.log.read_text(), worker.log.read_text()]
    assert gateway.key[12:] not in "".join(texts)
    return {"gateway": lines(gateway.log), "worker": lines(worker.log)}, job, divided


@pytest.mark.slow
def test_a_job_is_found_in_gateway_worker_and_child(told):
    found, job, divided = told
    every = [line for of_one in found.values() for line in of_one]
    for line in every:
        assert {"ts", "level", "logger", "message", "role", "host", "pid"} <= line.keys()
        assert line["ts"].endswith("Z")

    def of(job_id, role):
        return [ln for ln in every if ln.get("job_id") == job_id and ln["role"] == role]

    (accepted,) = of(job, "gateway")
    assert accepted["request_id"] == "request-42"
    assert accepted["correlation_id"] == CORRELATION
    (received,) = of(job, "worker")
    assert received["logger"] == "celery.worker.strategy"
    assert received["attempt"] == 1
    in_child = of(job, "child")
    assert {line["attempt"] for line in in_child} == {1}
    own = [line for line in in_child if line["logger"] == "workers.job_task"]
    assert {line["correlation_id"] for line in own} == {CORRELATION}
    assert {line["pid"] for line in in_child}.isdisjoint({received["pid"], accepted["pid"]})
    assert {line.get("chunk") for line in of(divided, "child")} == {None, 0, 1, 2}

    lines_of_uvicorn_and_celery_are_of_the_same_form(found, job)


def lines_of_uvicorn_and_celery_are_of_the_same_form(found, job):
    loggers = {line["logger"] for line in found["gateway"]}
    assert {"uvicorn.error", "uvicorn.access"} <= loggers
    access = [line for line in found["gateway"] if line["logger"] == "uvicorn.access"]
    assert any(line.get("request_id") == "request-42" for line in access)
    succeeded = [
        line
        for line in found["worker"]
        if line["logger"] == "celery.app.trace" and line.get("job_id") == job
    ]
    assert len(succeeded) == 1
    assert "succeeded" in succeeded[0]["message"]
