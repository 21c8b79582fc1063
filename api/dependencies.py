"""What routes ask for: the caller, the process's resources, the relay, the notifier."""

import hashlib
import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from api.notifier import JobNotifier
from app.access.keys import find_principal
from app.access.principal import Principal
from app.core.errors import Unauthorized
from app.resources import Resources
from workers.dispatch import Dispatcher

_bearer = HTTPBearer(auto_error=False, description="An API key: rt_<prefix>_<secret>")
#: a revoked key stops working within this time
_KEY_TTL_SECONDS = 5.0
_MAX_KEYS = 10_000


class KeyCache:
    """Callers seen in the last seconds, by a hash of their key."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: dict[bytes, tuple[float, Principal]] = {}

    def recent(self, digest: bytes) -> Principal | None:
        entry = self._known.get(digest)
        if entry is None or time.monotonic() - entry[0] > _KEY_TTL_SECONDS:
            return None
        return entry[1]

    def look_up(self, digest: bytes, text: str) -> Principal:
        """Raises Unauthorized."""
        with self._resources.database.session() as session:
            principal = find_principal(session, text)
        if len(self._known) >= _MAX_KEYS:
            self._known.clear()
        self._known[digest] = (time.monotonic(), principal)
        return principal


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Raises Unauthorized without a valid key."""
    if credentials is None:
        raise Unauthorized("the request carries no API key")
    keys: KeyCache = request.app.state.keys
    digest = hashlib.sha256(credentials.credentials.encode()).digest()
    known = keys.recent(digest)
    if known is not None:
        return known
    return await run_in_threadpool(keys.look_up, digest, credentials.credentials)


# coroutines, because FastAPI sends plain functions to the threadpool: a hop each per request
async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


async def _dispatcher(request: Request) -> Dispatcher:
    dispatcher: Dispatcher = request.app.state.dispatcher
    return dispatcher


async def _notifier(request: Request) -> JobNotifier:
    notifier: JobNotifier = request.app.state.notifier
    return notifier


Caller = Annotated[Principal, Depends(authenticate)]
WithResources = Annotated[Resources, Depends(_resources)]
WithDispatcher = Annotated[Dispatcher, Depends(_dispatcher)]
WithNotifier = Annotated[JobNotifier, Depends(_notifier)]
