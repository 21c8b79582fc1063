"""The gateway in this process, on real Postgres and Redis, and a caller with a key."""

from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from app.access.keys import create_key


@contextmanager
def calling(resources, *, base="/api/v1/", **options):
    """A client of it; `key_id` is its key's, `gateway` the application."""
    from api.main import create_api

    gateway = create_api(resources)
    with TestClient(gateway, base_url=f"http://retort{base}", **options) as client:
        with resources.database.session() as session:
            key = create_key(session, name="test")
        client.headers["Authorization"] = f"Bearer {key.text}"
        client.key_id, client.gateway = key.id, gateway
        yield client


@pytest.fixture
def api(resources):
    with calling(resources) as client:
        yield client
