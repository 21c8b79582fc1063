"""What serving processes are told to load, and what names meant at that moment."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from app.models.pointers import POINTERS_KEY
from app.resources import Resources

#: the word of the pointers; committed: active revisions of endpoints, versions of aliases
Meaning = tuple[bytes | None, list[int], list[UUID]]


class Warmed:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        #: (versions to load, what names meant then)
        self.told: list[tuple[set[UUID], Meaning]] = []

    def publish(self, channel: str, message: bytes) -> int:
        """In the place of Redis's; nobody listens."""
        assert channel == "serving:warm"
        ids = {UUID(text) for text in orjson.loads(message)["model_ids"]}
        self.told.append((ids, self.meaning()))
        return 0

    def meaning(self) -> Meaning:
        return (
            self._resources.cache.get(POINTERS_KEY),
            self._column("SELECT number FROM endpoint_revisions WHERE active ORDER BY id"),
            self._column("SELECT model_id FROM aliases ORDER BY project_id, name, alias"),
        )

    def _column(self, query: str) -> list[Any]:
        with self._resources.database.cursor() as cursor:
            cursor.execute(query)
            return [value for row in cursor.fetchall() for value in row.values()]


@pytest.fixture
def warmed(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Warmed:
    found = Warmed(resources)
    monkeypatch.setattr(resources.publisher, "publish", found.publish)
    return found
