"""Requests of a key beyond its rate are answered with 429, before anything is done for them.

A key without a limit costs nothing: no trip to Redis. When Redis does not answer, requests are let
through for a few seconds without asking, which the log and the metrics say: a limit is there for
the good of the cluster, and refusing everybody would not be.
"""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dependencies import seen_caller
from api.errors import problem_response
from api.telemetry import Telemetry
from app.access.principal import Principal
from app.access.rates import Decision, Rate, rate_of
from app.core.errors import RateLimited
from app.core.settings import Settings
from workers.async_redis import close, connect

logger = logging.getLogger(__name__)

#: of Redis; longer than that is an outage (seconds)
_TIMEOUT = 0.25
_REST_SECONDS = 5.0
#: by Redis's own clock, so that gateways need not agree on the time
_TAKE = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = burst
if held[1] then
    left = math.min(burst, tonumber(held[1]) + math.max(0, at - tonumber(held[2])) * rate)
end
local allowed = 0
if left >= 1 then
    left = left - 1
    allowed = 1
end
redis.call('HSET', KEYS[1], 'left', tostring(left), 'at', string.format('%.6f', at))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return {allowed, tostring(left)}
"""


class RateLimiter:
    """Of one gateway process."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._redis: Any = None
        self._take: Any = None
        self._rests_until = 0.0

    def rate_of(self, caller: Principal) -> Rate | None:
        return rate_of(self._settings, caller.rate_per_second, caller.rate_burst)

    async def admit(self, caller: Principal, scope: Scope) -> None:
        """Raises RateLimited. What is left is noted for the answer's headers; once a request."""
        state = scope.setdefault("state", {})
        if "rate" in state:
            return
        rate = self.rate_of(caller)
        state["rate"] = decision = None if rate is None else await self._ask(caller, rate)
        if decision is not None:
            if not decision.allowed:
                self._telemetry.rate_limited()
            decision.check()

    async def _ask(self, caller: Principal, rate: Rate) -> Decision | None:
        """None: nobody knows."""
        if time.monotonic() < self._rests_until:
            return None
        key = f"rl:{caller.key_id or f'{caller.project_id}:{caller.name}'}"
        try:
            allowed, left = await self._script()(keys=[key], args=[rate.per_second, rate.burst])
        except (RedisError, OSError) as error:
            logger.warning("requests are not counted for %g s: %s", _REST_SECONDS, error)
            self._telemetry.rates_unknown()
            self._rests_until = time.monotonic() + _REST_SECONDS
            return None
        return Decision(rate=rate, allowed=bool(allowed), left=float(left))

    def _script(self) -> Any:
        if self._take is None:
            self._redis = connect(self._settings.effective_cache_url, timeout=_TIMEOUT)
            self._take = self._redis.register_script(_TAKE)
        return self._take

    async def close(self) -> None:
        if self._redis is not None:
            await close(self._redis)


class RateLimit:
    """For callers whom the process knows; others are admitted when they are (`authenticate`)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            caller = seen_caller(request)
            limiter: RateLimiter = request.app.state.limiter
            if caller is not None and limiter.rate_of(caller) is not None:
                try:
                    await limiter.admit(caller, scope)
                except RateLimited as error:
                    answer = problem_response(request, error.problem(), headers=error.headers)
                    await answer(scope, receive, send)
                    return
        await self._app(scope, receive, send)
