"""The fixtures keep their word: migrated, empty, one test's own."""

import pytest
from sqlalchemy import func, select, text

from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow
from app.resources import get_resources


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_migrated_database_of_its_own(database, turn):
    with database.session() as session:
        assert session.get(ProjectRow, DEFAULT_PROJECT_ID).name == "default"
        assert session.scalar(select(func.count()).select_from(ProjectRow)) == 1
        session.add(ProjectRow(name="mine"))
        assert session.scalar(text("SELECT to_regnamespace('optuna') IS NOT NULL"))


@pytest.mark.parametrize("turn", [1, 2])
def test_redis_and_blobs_start_empty(resources, turn):
    assert resources.redis.dbsize() == 0
    resources.redis.set("a", "b")
    resources.cache.set("c", "d")
    assert resources.redis.get("c") is None
    resources.storage.write("x/y", b"z")
    assert get_resources() is resources
