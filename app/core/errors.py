"""Every error the domain raises on purpose: a sentence, a code, a remedy.

What a code means (title, cause, remedy, worth trying again) is declared once, in the catalogue
`app/core/problems`. The gateway turns errors into problem details (RFC 9457) in one table,
`api/errors.py`; the job engine decides by type whether to try again. Nothing here knows about HTTP
or Celery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypedDict
from uuid import UUID

from app.core.problems import ProblemType, problem_type


class FieldError(TypedDict):
    """One wrong field or row: `pointer` is a JSON pointer (`/params/target`) or `row 17`."""

    pointer: str
    code: str
    detail: str


class Problem(TypedDict):
    """The one shape of an error: answered over HTTP and stored as a failed job's `error`."""

    #: the page about this code, on the gateway
    type: str
    code: str
    title: str
    detail: str
    remedy: str
    errors: list[FieldError]
    retryable: bool


def make_problem(
    entry: ProblemType,
    detail: str,
    *,
    remedy: str | None = None,
    errors: Sequence[FieldError] = (),
) -> Problem:
    """An occurrence of what the catalogue declares; without a `remedy`, the general one."""
    return Problem(
        type=f"/problems/{entry.code}",
        code=entry.code,
        title=entry.title,
        detail=detail,
        remedy=remedy or entry.remedy,
        errors=list(errors),
        retryable=entry.retryable,
    )


class RetortError(Exception):
    """Base of all errors that are told to a user.

    `detail` says what is wrong with this request, `remedy` what to do about it (without one, what
    the catalogue says of the code).
    """

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        remedy: str | None = None,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self._code = code
        self._remedy = remedy
        self.errors = list(errors)
        self.headers = headers or {}

    def problem(self) -> Problem:
        entry = problem_type(self._code or self.code, self.code)
        return make_problem(entry, self.detail, remedy=self._remedy, errors=self.errors)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keyword-only arguments survive a process boundary (billiard pickles exceptions)."""
        return (_rebuild, (type(self), self.detail, self._remedy, self._code, self.errors))


def _rebuild(
    kind: type[RetortError],
    detail: str,
    remedy: str | None,
    code: str | None,
    errors: list[FieldError],
) -> RetortError:
    return kind(detail, remedy=remedy, code=code, errors=errors)


class InvalidInput(RetortError):
    """The request or the data is wrong: the user can mend it, trying again cannot."""

    code = "invalid_input"


class UnknownName(InvalidInput):
    """A plug-in, column or resource name that does not exist."""

    code = "unknown_name"


class NotFound(RetortError):
    code = "not_found"


class ContentMissing(NotFound):
    """A blob is not where the database says: nobody's mistake who only asked for it. The key is
    for the log, not for who asked.
    """

    code = "content_missing"

    def __init__(self, detail: str, *, key: str = "", **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.key = key

    def __str__(self) -> str:
        return f"{self.detail} ({self.key})" if self.key else self.detail

    @classmethod
    def of(cls, key: str) -> Self:
        return cls("a stored file is missing", key=key)


class Unauthorized(RetortError):
    code = "unauthorized"


class Forbidden(RetortError):
    """Who asks is known, and may not do this."""

    code = "forbidden"


class LeakFound(InvalidInput):
    """The leak audit found what the request refuses, or work was about to cause it."""

    code: ClassVar[str] = "leak_found"


class Conflict(RetortError):
    code = "conflict"


class PreconditionFailed(RetortError):
    code = "precondition_failed"


class PreconditionRequired(RetortError):
    code = "precondition_required"


class IdempotencyMismatch(RetortError):
    code = "idempotency_key_reused"


class IdempotencyInProgress(RetortError):
    code = "idempotency_in_progress"


class PayloadTooLarge(RetortError):
    code = "payload_too_large"


class TooManyJobs(RetortError):
    code = "too_many_jobs"


class RateLimited(RetortError):
    """More requests than the caller's key may send."""

    code = "rate_limited"


@dataclass(frozen=True, kw_only=True)
class UsedUp:
    """Which quota refused whom."""

    project_id: UUID
    #: who asked
    caller: str
    #: whose quota it is
    scope: Literal["project", "key"]
    quota: str
    limit: float
    used: float


class QuotaExceeded(RetortError):
    """The project or the key has used what it was given."""

    code = "quota_exceeded"
    #: for the event of the same name
    used_up: UsedUp | None = None


class TooManyUploads(RetortError):
    code = "too_many_uploads"


class UploadBusy(RetortError):
    code = "upload_busy"


class RangeNotSatisfiable(RetortError):
    code = "range_not_satisfiable"


class Unavailable(RetortError):
    """A part of the cluster does not answer in time; waiting helps."""

    code = "unavailable"


class Overloaded(RetortError):
    """More is waiting than can be answered in time: refused at once, so that others are served."""

    code = "overloaded"


# ---- how a job's run ends -----------------------------------------------------------------


class Retryable(RetortError):
    """An outage, not a mistake: try the job again after `after` seconds (None: backoff)."""

    code = "temporary_failure"

    def __init__(self, detail: str, *, after: float | None = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.after = after


class JobCancelled(RetortError):
    code = "cancelled_by_user"


class DeadlineExceeded(RetortError):
    code = "deadline_exceeded"


class LeaseLost(RetortError):
    """Another worker owns this job now; whatever this one still writes is refused."""

    code = "lease_lost"


class LostWorker(RetortError):
    code = "lost_worker"


class DependencyFailed(RetortError):
    code = "dependency_failed"


class InternalError(RetortError):
    """What a bug looks like to a user; the trace is in the worker's log under the job's id."""
