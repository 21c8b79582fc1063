# made of _async/transport.py by client/generate_sync.py: change that one
"""HTTP with patience: retries that cannot make a second job, and problem documents as errors."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx

from retort import answers
from retort._sync.io import sleep
from retort.curl import Call, Shown
from retort.errors import error_of
from retort.patience import Patience, backoff, retry_after, worth_another_try


class Transport:
    """One connection pool. Every POST carries an Idempotency-Key that all its retries share."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.origin = answers.origin_of(url)
        self.http = httpx.Client(
            base_url=f"{self.origin}{answers.PREFIX}",
            headers={"Authorization": f"Bearer {api_key}", "User-Agent": answers.USER_AGENT},
            timeout=self.patience.timeout,
            transport=transport,
            follow_redirects=True,
        )
        self.sleep: Callable[[float], None] = sleep

    def patient(self, patience: Patience) -> "Transport":
        """The same connections with another patience."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, patience=patience)
        return other

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Retries connection errors, 429, 5xx of gateways, and whatever the server calls
        retryable; honours Retry-After. `options` as httpx takes them. Raises RetortError.
        """
        call = self._prepare(method, path, options)
        ends = time.monotonic() + (self.patience.total_timeout or float("inf"))
        for attempt in range(1, self.patience.attempts + 1):
            wait: float | None
            try:
                response = self.http.request(method, call.url, timeout=self._left(ends), **options)
            except httpx.TransportError as error:
                wait, trouble = None, answers.unreachable(self.origin, error)
                trouble.__cause__ = error
            else:
                if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
                    return response
                problem = answers.problem_of(response)
                wait = retry_after(response.headers)
                trouble = error_of(response.status_code, problem, retry_after=wait)
                if not worth_another_try(response.status_code, problem):
                    raise trouble
            delay = backoff(attempt) if wait is None else wait
            if attempt == self.patience.attempts or delay > self.patience.longest_wait:
                raise trouble
            if time.monotonic() + delay > ends:
                raise answers.timed_out(self.patience, trouble)
            self.sleep(delay)
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, **options: Any) -> Any:
        return (self.request(method, path, **options)).json()

    def stream(
        self, method: str, path: str, **options: Any
    ) -> AbstractContextManager[httpx.Response]:
        """One exchange, without retries, whose body is read as it comes."""
        call = self._prepare(method, path, options)
        return self.http.stream(method, call.url, **options)

    def pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page as it is asked for; `limit`: at most so many."""
        asked = {name: value for name, value in filters.items() if value is not None}
        left = asked.pop("limit", None)
        cursor: str | None = None
        while left is None or left > 0:
            size = 100 if left is None else min(left, 200)
            params = {**asked, "limit": size} | ({"cursor": cursor} if cursor else {})
            found = self.json("GET", path, params=params)
            for item in found["items"]:
                yield item
            left = None if left is None else left - len(found["items"])
            cursor = found.get("next_cursor")
            if cursor is None:
                return

    def close(self) -> None:
        self.http.close()

    def _prepare(self, method: str, path: str, options: dict[str, Any]) -> Call:
        """Completes `options`; what is about to be sent, as a value."""
        headers = dict(options.pop("headers", None) or {})
        call = answers.describe(self.origin, method, path, {**options, "headers": headers})
        if method == "POST":
            headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
        options["headers"] = headers
        return call

    def _left(self, ends: float) -> float:
        return min(self.patience.timeout, max(0.001, ends - time.monotonic()))


class Showing(Transport):
    """Sends nothing: collects the calls, and ends at the first whose answer would be needed."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin, "-")
        self.calls: list[Call] = []

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.calls.append(self._prepare(method, path, options))
        if (method, path) == ("POST", "/files"):
            return httpx.Response(201, json={"id": "FILE_ID", "name": options["files"]["file"][0]})
        raise Shown

    def stream(
        self, method: str, path: str, **options: Any
    ) -> AbstractContextManager[httpx.Response]:
        self.calls.append(self._prepare(method, path, options))
        raise Shown
