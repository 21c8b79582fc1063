"""HTTP with patience: retries that cannot make a second job, and problem documents as errors."""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from retort.errors import ConnectionFailed, error_of

_ATTEMPTS = 6
_BASE_SECONDS = 0.5
_MAX_SECONDS = 20.0
_BUSY = frozenset({429, 502, 503, 504})


class Transport:
    """One connection pool. Every POST carries an Idempotency-Key that all its retries share."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 90.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.http = httpx.Client(
            base_url=_api_root(url),
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=timeout,
            transport=transport,
            follow_redirects=True,
        )
        self._sleep = sleep

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Retries connection errors, 429, 5xx of gateways, and a first request still being
        stored (409); honours Retry-After. Raises RetortError subclasses.
        """
        headers = dict(options.pop("headers", None) or {})
        if method == "POST":
            headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
        rewind = options.pop("rewind", None)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self.http.request(method, path, headers=headers, **options)
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS:
                    raise ConnectionFailed(_unreachable(self.http, error)) from error
                delay = _backoff(attempt)
            else:
                if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
                    return response
                problem = problem_of(response)
                if attempt == _ATTEMPTS or not _try_again(response, problem):
                    raise error_of(response.status_code, problem)
                delay = _retry_after(response) or _backoff(attempt)
            self._sleep(delay)
            if rewind is not None:
                rewind()
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, **options: Any) -> Any:
        return self.request(method, path, **options).json()

    def close(self) -> None:
        self.http.close()


def problem_of(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document, or one made from whatever a proxy said."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and "detail" in body:
        return body
    return {
        "code": f"http_{response.status_code}",
        "detail": f"the server answered {response.status_code} {response.reason_phrase}",
        "remedy": "Check that the address is Retort's.",
    }


def _api_root(url: str) -> str:
    root = url.rstrip("/")
    return root if root.endswith("/api/v1") else f"{root}/api/v1"


def _try_again(response: httpx.Response, problem: Mapping[str, Any]) -> bool:
    return response.status_code in _BUSY or problem.get("code") == "idempotency_in_progress"


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(float(response.headers.get("Retry-After", "")), _MAX_SECONDS)
    except ValueError:
        return None


def _backoff(attempt: int) -> float:
    delay: float = min(_BASE_SECONDS * 2 ** (attempt - 1), _MAX_SECONDS) * random.uniform(0.5, 1.0)
    return delay


def _unreachable(http: httpx.Client, error: Exception) -> dict[str, str]:
    return {
        "code": "connection_failed",
        "detail": f"{http.base_url} cannot be reached ({type(error).__name__})",
        "remedy": "Is the cluster running? `make status` says so; `make up` starts it.",
    }
