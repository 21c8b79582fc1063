"""A process's resources on the private servers, found through the environment as in production."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db.database import Database
from app.resources import Resources, get_resources


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.dispose()


@pytest.fixture
def retort_environment(
    postgres_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """RETORT_* of a whole private cluster; set here, and to be given to child processes."""
    variables = {
        "RETORT_DATABASE_URL": postgres_url,
        "RETORT_REDIS_URL": redis_url,
        "RETORT_CACHE_URL": redis_url[:-1] + "1",
        "RETORT_BROKER_URL": redis_url,
        "RETORT_STORAGE_ROOT": str(tmp_path / "blobs"),
        "RETORT_MLFLOW_TRACKING_URI": "",
        "RETORT_S3_BUCKET": "",
        # on a busy machine a worker may take its time; tests of impatience set their own
        "RETORT_INTERACTIVE_TIMEOUT_SECONDS": "120",
        # each takes seconds to start; tests of several say so
        "RETORT_SERVING_PROCESSES": "1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    get_resources.cache_clear()
    # the process's Celery application may have been made for the servers of an earlier test
    from workers.celery_app import celery_app

    celery_app.conf.update(broker_url=redis_url, result_backend=redis_url)
    yield variables
    get_settings.cache_clear()
    get_resources.cache_clear()


@pytest.fixture
def resources(retort_environment: dict[str, str]) -> Iterator[Resources]:
    """The same object that `get_resources()` gives during the test."""
    resources = get_resources()
    yield resources
    resources.database.dispose()
