"""The gateway and a worker in this process, on real Postgres, Redis and blobs."""

import pytest

from tests.support.gateway import calling
from tests.support.worker_here import WorkerHere


@pytest.fixture
def api(resources):
    """Bugs are answered, not raised here."""
    with calling(resources, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


@pytest.fixture
def problem():
    """Asserts that a response is a problem document of this code; its body."""

    def check(response, status, code):
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["code"] == code, body
        assert body["type"] == f"/problems/{code}"
        assert body["status"] == status
        assert body["remedy"]
        assert body["request_id"] == response.headers["x-request-id"]
        assert response.headers["x-content-type-options"] == "nosniff"
        return body

    return check
