"""What routes ask for: the caller, the process's resources, the relay, the notifier."""

import hashlib
import time
from functools import cached_property
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.job_desk import JobDesk
from api.notifier import JobNotifier
from api.trail import mark_caller
from app.access.keys import find_principal
from app.access.oidc import TokenReader, is_token, trust_of
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import Forbidden, Unauthorized
from app.resources import Resources
from workers.dispatch import Dispatcher

_bearer = HTTPBearer(
    auto_error=False,
    description="An API key (rt_<prefix>_<secret>), or a token of your organisation's issuer",
)
#: a revoked key stops working within this time
_KEY_TTL_SECONDS = 5.0
_MAX_KEYS = 10_000


class KeyCache:
    """Callers seen in the last seconds, by a hash of their key."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        trust = trust_of(resources.settings)
        self._tokens = None if trust is None else TokenReader(trust)
        self._known: dict[bytes, tuple[float, Principal]] = {}
        #: of keys, that this process made
        self._changes = 0

    @cached_property
    def few_at_once(self) -> CapacityLimiter:
        """Made where the event loop runs."""
        return CapacityLimiter(4)

    def recent(self, digest: bytes) -> Principal | None:
        entry = self._known.get(digest)
        if entry is None or time.monotonic() - entry[0] > _KEY_TTL_SECONDS:
            return None
        return entry[1]

    def look_up(self, digest: bytes, text: str) -> Principal:
        """Raises Unauthorized; of a token also Forbidden and Unavailable."""
        seen = self._changes
        if self._tokens is not None and is_token(text):
            principal = self._tokens.principal(text)
        else:
            with self._resources.database.session() as session:
                principal = find_principal(session, text)
        if len(self._known) >= _MAX_KEYS:
            self._known.clear()
        if seen == self._changes:  # else it may have been read before the change
            self._known[digest] = (time.monotonic(), principal)
        return principal

    def forget(self) -> None:
        """What was changed about keys holds at once in this process."""
        self._changes += 1
        self._known.clear()


async def caller_of(request: Request) -> Principal:
    """Raises Unauthorized without a valid key, RateLimited for one that is used too often."""
    known: Principal | None = getattr(request.state, "caller", None)
    if known is None:
        known = _coming_from_where_it_may(request, await _authenticated(request))
        request.state.caller = known
        mark_caller(known, request.scope)
        await request.app.state.limiter.admit(known, request.scope)
    return known


async def _authenticated(request: Request) -> Principal:
    text = _bearer_text(request)
    if text is None:
        raise Unauthorized("the request carries no API key")
    known = seen_caller(request)
    if known is not None:
        return known
    keys: KeyCache = request.app.state.keys
    digest = _digest(text)
    # tokens wait for their issuer in threads of their own: keys go on without them
    limiter = keys.few_at_once if is_token(text) else None
    return await to_thread.run_sync(keys.look_up, digest, text, limiter=limiter)


def _bearer_text(request: Request) -> str | None:
    """None for no header, several of them, or another scheme."""
    given = request.headers.getlist("authorization")
    scheme, _, text = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return text.strip() or None if scheme.lower() == "bearer" else None


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _coming_from_where_it_may(request: Request, caller: Principal) -> Principal:
    address = _address(request)
    if not caller.may_come_from(address):
        raise Forbidden(f"{caller.name} may not be used from {address}", code="address_not_allowed")
    return caller


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Raises Unauthorized without a valid key. `credentials` says so in the OpenAPI document."""
    del credentials
    return await caller_of(request)


def recent_caller(request: Request, right: Right) -> Principal | None:
    """Who asks, if that is known without Postgres and he has that right; None: the route has to
    look, and to refuse.
    """
    caller = seen_caller(request)
    if caller is None or right not in caller.rights:
        return None
    return caller if caller.may_come_from(_address(request)) else None


def seen_caller(request: Request) -> Principal | None:
    """Whose key it is, if that is known without Postgres; looked up once a request."""
    state = request.scope.setdefault("state", {})
    if "seen_caller" not in state:
        keys: KeyCache = request.app.state.keys
        text = _bearer_text(request)
        state["seen_caller"] = None if text is None else keys.recent(_digest(text))
    seen: Principal | None = state["seen_caller"]
    return seen


# coroutines, because FastAPI sends plain functions to the threadpool: a hop each per request
async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


async def _dispatcher(request: Request) -> Dispatcher:
    dispatcher: Dispatcher = request.app.state.dispatcher
    return dispatcher


async def _desk(request: Request) -> JobDesk:
    desk: JobDesk = request.app.state.desk
    return desk


async def _notifier(request: Request) -> JobNotifier:
    notifier: JobNotifier = request.app.state.notifier
    return notifier


Caller = Annotated[Principal, Depends(authenticate)]
WithResources = Annotated[Resources, Depends(_resources)]
WithDispatcher = Annotated[Dispatcher, Depends(_dispatcher)]
WithDesk = Annotated[JobDesk, Depends(_desk)]
WithNotifier = Annotated[JobNotifier, Depends(_notifier)]
