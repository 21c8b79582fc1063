"""The gateway and a worker in this process, on real Postgres, Redis and blobs."""

import pytest
from starlette.testclient import TestClient

from app.access.keys import create_key
from tests.support.worker_here import WorkerHere


@pytest.fixture
def api(resources):
    from api.main import create_api

    gateway = create_api(resources)
    with TestClient(
        gateway, base_url="http://retort/api/v1/", raise_server_exceptions=False
    ) as client:
        with resources.database.session() as session:
            key = create_key(session, name="test")
        client.headers["Authorization"] = f"Bearer {key.text}"
        client.gateway = gateway
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
