"""Errors as the server tells them: what is wrong, and what to do about it."""

from collections.abc import Mapping
from typing import Any


class RetortError(Exception):
    """Carries the problem document (RFC 9457) in `problem`."""

    def __init__(self, problem: Mapping[str, Any], status: int | None = None) -> None:
        self.problem = dict(problem)
        self.status = status
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return str(self.problem.get("code", "unknown"))

    @property
    def detail(self) -> str:
        return str(self.problem.get("detail") or self.problem.get("title") or "unknown error")

    @property
    def remedy(self) -> str:
        return str(self.problem.get("remedy", ""))

    @property
    def fields(self) -> list[dict[str, str]]:
        """[{"pointer", "code", "detail"}] of the wrong fields or rows."""
        return list(self.problem.get("errors") or [])


class NotFound(RetortError):
    """404."""


class Unauthorized(RetortError):
    """401: no key, or a wrong one."""


class InvalidRequest(RetortError):
    """4xx: the request must be corrected."""


class Unavailable(RetortError):
    """5xx, after all retries."""


class TooManyRequests(Unavailable):
    """429, after all retries: too many of your jobs are waiting."""


class ConnectionFailed(RetortError):
    """The server cannot be reached, after all retries."""


class JobFailed(RetortError):
    """A job that was waited for failed or was cancelled; `job` is its last state."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = dict(job)
        problem = job.get("error") or {"detail": f"the job is {job['state']}", "code": job["state"]}
        super().__init__(problem)


def error_of(status: int, problem: Mapping[str, Any]) -> RetortError:
    if status == 401:
        return Unauthorized(problem, status)
    if status == 404:
        return NotFound(problem, status)
    if status == 429:
        return TooManyRequests(problem, status)
    return (Unavailable if status >= 500 else InvalidRequest)(problem, status)
