"""What a name means now: remembered in this process, checked with every request.

An entry holds the word (app/models/pointers.py) that stood in the cache before Postgres was asked.
While the word that a request reads is the same, nothing has changed since; when it is another, or
none, Postgres is asked again.
"""

import time
from dataclasses import dataclass
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from app.core.errors import InvalidInput
from app.endpoints.active import load_active
from app.endpoints.routing import ActiveRevision, Arm
from app.models.pointers import announce
from app.models.records import resolve_model
from app.resources import Resources

#: begins the name of an endpoint where a model is named
ENDPOINT = "endpoint:"
#: who changes a name and cannot tell (its cache is away) is believed that much later
_TTL_SECONDS = 5.0
_MAX_NAMES = 10_000

Target = Arm | ActiveRevision


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    target: Target
    word: bytes | None
    until: float

    def holds(self, word: bytes | None) -> bool:
        """Of a word that was read since."""
        return word is not None and self.word == word and time.monotonic() < self.until


class Names:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._entries: dict[tuple[UUID, str], Remembered] = {}

    def remembered(self, project_id: UUID, ref: str) -> Remembered | None:
        """What it meant lately; to be used only when it `holds`. Others may replace it meanwhile:
        ask the one that was used.
        """
        return self._entries.get((project_id, ref))

    async def resolve(self, project_id: UUID, ref: str, word: bytes | None) -> Target:
        """From Postgres. `word`: as read before this call. Raises InvalidInput, NotFound, Conflict
        (an endpoint whose route follows an alias that is no more).
        """
        if word is None:
            # the cache is new: there has to be a word that can change
            await run_in_threadpool(announce, self._resources.cache)
        target = await run_in_threadpool(self._load, project_id, ref)
        if len(self._entries) >= _MAX_NAMES:
            self._entries.clear()
        self._entries[project_id, ref] = Remembered(
            target=target, word=word, until=time.monotonic() + _TTL_SECONDS
        )
        return target

    def _load(self, project_id: UUID, ref: str) -> Target:
        with self._resources.database.session() as session:
            if ref.startswith(ENDPOINT):
                return load_active(session, project_id, _endpoint_name(ref))
            row = resolve_model(session, project_id, ref)
            return Arm(ref=ref, model_id=row.id, name=row.name, number=row.number, mode="live")


def _endpoint_name(ref: str) -> str:
    name = ref.removeprefix(ENDPOINT)
    if not name:
        raise InvalidInput(
            "the endpoint has no name",
            code="invalid_reference",
            remedy="Write `endpoint:<name>`; GET /api/v1/endpoints lists them.",
        )
    return name
