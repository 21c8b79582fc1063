"""The server in memory, as a transport of httpx for both clients."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

# these register their routes; the order matters where one path fits two templates
from retort.testing import (  # noqa: F401
    audit,
    comparing,
    datasets,
    endpoints,
    events,
    files,
    history,
    jobs,
    keys,
    looking,
    models,
    quotas,
    registry,
    schedules,
    webhooks,
)
from retort.testing.routing import match, respond
from retort.testing.state import Asked, Refused, State, digest, problem


class FakeServer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """One project of one caller. Jobs run when somebody looks; nothing takes time."""

    def __init__(self) -> None:
        self.state = State()
        #: operations that were asked, as `POST /api/v1/jobs`
        self.calls: list[str] = []
        #: seconds that clients would have slept between retries
        self.slept: list[float] = []
        self._troubles: list[Exception | httpx.Response] = []

    # ---- how it is told to behave

    def fail_next(
        self, kind: str, *, code: str = "internal_error", detail: str = "it was told to fail"
    ) -> None:
        """The next job of this kind fails with this problem."""
        self.state.failures.setdefault(kind, []).append(problem(code, detail))

    def trouble_next(self, *troubles: Exception | int) -> None:
        """The next requests meet these instead: HTTP statuses, or httpx's exceptions."""
        for trouble in troubles:
            if isinstance(trouble, int):
                body = problem("unavailable", "told to be away")
                self._troubles.append(respond(body, trouble, {"Retry-After": "1"}))
            else:
                self._troubles.append(trouble)

    def hold(self) -> None:
        """Jobs stay as they are until `release`."""
        self.state.held = True

    def release(self) -> None:
        self.state.held = False

    # ---- transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._handle(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._handle(request)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        with self.state.lock:
            if self._troubles:
                trouble = self._troubles.pop(0)
                if isinstance(trouble, Exception):
                    raise trouble
                return trouble
            asked = Asked(
                method=request.method,
                path=request.url.path.rstrip("/"),
                query=request.url.params,
                headers=request.headers,
                content=request.content,
            )
            try:
                return self._once(asked)
            except Refused as error:
                return _problem_response(asked, error.status, error.problem)

    def _once(self, asked: Asked) -> httpx.Response:
        """The same key and body again give the first answer again."""
        key = asked.headers.get("idempotency-key")
        multipart = asked.headers.get("content-type", "").startswith("multipart/")
        if asked.method != "POST" or key is None or multipart:
            return self._answer(asked)
        body = digest(asked.body())
        known = self.state.idempotent.get((asked.path, key))
        if known is None:
            answer = self._answer(asked)
            self.state.idempotent[asked.path, key] = (body, answer)
            return answer
        if known[0] != body:
            raise Refused(422, "idempotency_key_reused", "the key was used with another body")
        again = known[1]
        headers = {"Idempotency-Replayed": "true", "Content-Type": "application/json"}
        return httpx.Response(again.status_code, content=again.content, headers=headers)

    def _answer(self, asked: Asked) -> httpx.Response:
        found = match(asked.method, asked.path)
        if found is None:
            raise Refused(404, "not_found", "Not Found", "See /docs for the routes.")
        template, handler, names = found
        self.calls.append(f"{asked.method} {template}")
        answer: Any = handler(self.state, asked, **names)
        audit.tell(self.state, asked, template)
        return answer if isinstance(answer, httpx.Response) else respond(_copy(answer))


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _problem_response(
    asked: Asked, status: int, document: Mapping[str, Any] | Sequence[Any]
) -> httpx.Response:
    body = {**dict(document), "status": status, "instance": asked.path, "request_id": "fake"}
    body["type"] = f"/problems/{body['code']}"
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})
