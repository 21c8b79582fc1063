"""Every error the domain raises on purpose: a sentence, a code, a remedy.

The gateway turns them into problem details (RFC 9457) in one table, `api/errors.py`; the job
engine decides by type whether to try again. Nothing here knows about HTTP or Celery.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict


class FieldError(TypedDict):
    """One wrong field or row: `pointer` is a JSON pointer (`/params/target`) or `row 17`."""

    pointer: str
    code: str
    detail: str


class Problem(TypedDict):
    """The one shape of an error: answered over HTTP and stored as a failed job's `error`."""

    code: str
    title: str
    detail: str
    remedy: str
    errors: list[FieldError]
    retryable: bool


class RetortError(Exception):
    """Base of all errors that are told to a user.

    `detail` says what is wrong with this request, `remedy` what to do about it.
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"
    remedy: ClassVar[str] = "Try again; if it stays, tell the operator the request id."
    retryable: ClassVar[bool] = False

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
        return Problem(
            code=self._code or self.code,
            title=self.title,
            detail=self.detail,
            remedy=self._remedy or type(self).remedy,
            errors=self.errors,
            retryable=self.retryable,
        )

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
    title = "The input cannot be used"
    remedy = "Correct the named fields and send it again."


class UnknownName(InvalidInput):
    """A plug-in, column or resource name that does not exist."""

    code = "unknown_name"
    title = "There is no such name"
    remedy = "Use one of the names listed."


class NotFound(RetortError):
    code = "not_found"
    title = "Not found"
    remedy = "Check the id or name; list the resource to see what exists."


class Unauthorized(RetortError):
    code = "unauthorized"
    title = "A valid API key is needed"
    remedy = "Send `Authorization: Bearer <key>`; `make status` says where the key file is."


class Conflict(RetortError):
    code = "conflict"
    title = "The state does not allow this"
    remedy = "Read the resource again and decide anew."


class PreconditionFailed(RetortError):
    code = "precondition_failed"
    title = "The resource has changed since it was read"
    remedy = "Read it again, and send the change with its new ETag in If-Match."


class IdempotencyMismatch(RetortError):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body"
    remedy = "Use a fresh key for a new request; repeat the first body to get the first answer."


class IdempotencyInProgress(RetortError):
    code = "idempotency_in_progress"
    title = "The first request with this Idempotency-Key is still being stored"
    remedy = "Send the same request again after the seconds named in Retry-After."
    retryable = True


class PayloadTooLarge(RetortError):
    code = "payload_too_large"
    title = "The body is larger than allowed"
    remedy = "Split the file, compress it (.gz), or ask the operator to raise the limit."


class TooManyJobs(RetortError):
    code = "too_many_jobs"
    title = "Too many jobs are waiting"
    remedy = "Send it again after the seconds named in Retry-After, when some have started."
    retryable = True


class TooManyUploads(RetortError):
    code = "too_many_uploads"
    title = "Too many uploads are open"
    remedy = "Complete or delete some: GET /api/v1/files/uploads lists them."
    retryable = True


class UploadBusy(RetortError):
    code = "upload_busy"
    title = "The upload is being completed"
    remedy = "Send the same request again after the seconds named in Retry-After."
    retryable = True


class RangeNotSatisfiable(RetortError):
    code = "range_not_satisfiable"
    title = "The file ends before that range"
    remedy = "Ask for bytes within the size that Content-Range names."


class Unavailable(RetortError):
    """A part of the cluster does not answer in time; waiting helps."""

    code = "unavailable"
    title = "No worker answered in time"
    remedy = "Try again after the seconds named in Retry-After, or post a `predict` job."
    retryable = True


# ---- how a job's run ends -----------------------------------------------------------------


class Retryable(RetortError):
    """An outage, not a mistake: try the job again after `after` seconds (None: backoff)."""

    code = "temporary_failure"
    title = "A temporary failure"
    remedy = "Retort tries again by itself; retry the job by hand once the cause is gone."
    retryable = True

    def __init__(self, detail: str, *, after: float | None = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.after = after


class JobCancelled(RetortError):
    code = "cancelled_by_user"
    title = "The job was cancelled"
    remedy = "Rerun the job if the cancellation was a mistake."


class DeadlineExceeded(RetortError):
    code = "deadline_exceeded"
    title = "The job's deadline passed"
    remedy = "Submit it again with a later deadline_seconds."


class LeaseLost(RetortError):
    """Another worker owns this job now; whatever this one still writes is refused."""

    code = "lease_lost"
    title = "Another worker took this job over"
    remedy = "Nothing to do: the other worker finishes the job."


class LostWorker(RetortError):
    code = "lost_worker"
    title = "The worker process died while it ran this job"
    remedy = "Look for memory limits or a crashing input in the worker's log, then retry the job."


class DependencyFailed(RetortError):
    code = "dependency_failed"
    title = "A job that this one needs did not succeed"
    remedy = "Mend and rerun the job it needs, then submit this one again."


class InternalError(RetortError):
    """What a bug looks like to a user; the trace is in the worker's log under the job's id."""
