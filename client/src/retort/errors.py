"""Errors as the server tells them: what is wrong, and what to do about it.

One class for each family of HTTP answers, and one for each problem code that a program acts on;
codes that this version does not know fall back to their family. A failed job raises a class that is
both `JobFailed` and that of its problem: `except UnknownName` catches either.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar


class RetortError(Exception):
    """Carries the problem document (RFC 9457) in `problem`, the HTTP status in `status`."""

    #: problem codes for which this class stands
    codes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        problem: Mapping[str, Any],
        status: int | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.problem = dict(problem)
        self.status = status
        #: seconds after which the server wants to be asked again
        self.retry_after = retry_after
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return str(self.problem.get("code", "unknown"))

    @property
    def detail(self) -> str:
        return str(self.problem.get("detail") or self.problem.get("title") or "unknown error")

    @property
    def remedy(self) -> str:
        return str(self.problem.get("remedy") or "")

    @property
    def fields(self) -> list[dict[str, str]]:
        """[{"pointer", "code", "detail"}] of the wrong fields or rows."""
        return list(self.problem.get("errors") or [])

    @property
    def request_id(self) -> str | None:
        """Leads the operator to the log."""
        return self.problem.get("request_id")

    @property
    def page(self) -> str | None:
        """Address of the page that explains the code, relative to the server."""
        return self.problem.get("type")

    @property
    def retryable(self) -> bool:
        return self.problem.get("retryable") is True

    def __str__(self) -> str:
        return f"{self.detail} ({self.remedy})" if self.remedy else self.detail


# ---- families


class InvalidRequest(RetortError):
    """4xx: the request must be corrected."""

    codes: ClassVar[tuple[str, ...]] = (
        *("invalid_request", "invalid_input", "invalid_cursor", "bad_request", "malformed_body"),
        *("unsupported_media_type", "method_not_allowed", "range_not_satisfiable"),
    )


class NotFound(RetortError):
    """404."""

    codes = ("not_found", "unknown_route")


class Unauthorized(RetortError):
    """401: no key or token, or a wrong one."""

    codes: ClassVar[tuple[str, ...]] = ("unauthorized", "token_refused")


class Forbidden(Unauthorized):
    """403: the key may not do this."""

    codes = ("forbidden", "address_not_allowed", "beyond_own_rights", "no_role")


class Conflict(InvalidRequest):
    """409, 412: the state does not allow this (any more)."""

    codes: ClassVar[tuple[str, ...]] = (
        *("conflict", "idempotency_in_progress", "ambiguous_id"),
        *("endpoint_exists", "endpoint_broken", "no_earlier_revision", "no_canary"),
        *("key_ended", "key_made_before", "key_name_taken", "last_admin_key"),
        *("schedule_exists", "run_open", "run_not_held", "run_outdated"),
        *("too_many_webhooks", "webhook_not_active"),
    )


class PayloadTooLarge(InvalidRequest):
    """413: larger than this installation takes, packed or unpacked."""

    codes = ("payload_too_large", "too_many_rows", "compression_ratio")


class Unavailable(RetortError):
    """5xx, after all retries."""

    codes: ClassVar[tuple[str, ...]] = (
        "unavailable",
        "no_worker_answered",
        "overloaded",
        "temporary_failure",
        "issuer_unavailable",
        "webhooks_unavailable",
    )


class ServerFault(Unavailable):
    """500: a bug of the server; tell the operator the request id."""

    codes = ("internal_error", "content_missing")


class TooManyRequests(Unavailable):
    """429, after all retries: too many of your jobs are waiting, or you ask too often."""

    codes: ClassVar[tuple[str, ...]] = ("too_many_jobs", "rate_limited")


class ConnectionFailed(RetortError):
    """The server cannot be reached, after all retries."""

    codes: ClassVar[tuple[str, ...]] = ("connection_failed",)


class TimedOut(ConnectionFailed):
    """The call took longer than its `total_timeout`, retries included."""

    codes = ("timed_out",)


class NotConfigured(RetortError):
    """No address or no key: nothing was sent."""

    codes = ("no_configuration",)


# ---- codes that programs act on


class UnknownName(InvalidRequest):
    """An algorithm, featurizer, column or other name that does not exist; nearest in `remedy`."""

    codes = ("unknown_name",)


class InvalidReference(InvalidRequest):
    """A reference that is not of the form id, name, name:3 or name@alias."""

    codes = ("invalid_reference",)


class InvalidParameters(InvalidRequest):
    """Parameters of an algorithm, featurizer, splitter or search that cannot be."""

    codes = ("invalid_parameters", "too_many_trials", "no_trial_succeeded", "metric_undefined")


class AlgorithmUnavailable(InvalidRequest):
    """It exists, but not in this installation, or not for this task."""

    codes = ("algorithm_unavailable", "task_mismatch")


class TooManyInputs(InvalidRequest):
    """More than are answered at once; `predict_file` and `map` take any number."""

    codes = ("too_many_inputs",)


class WrongInput(InvalidRequest):
    """Inputs of a prediction that are not those that the model was trained on."""

    codes = ("wrong_input", "missing_columns", "no_structures")


class IdempotencyKeyReused(InvalidRequest):
    """The key was used with another body."""

    codes = ("idempotency_key_reused",)


class PreconditionRequired(InvalidRequest):
    """It is changed only by who says which state he has read (If-Match)."""

    codes = ("precondition_required",)


class InvalidEndpoint(InvalidRequest):
    """Routes, canary, fallback and history that mean nothing together; `fields` names each."""

    codes = ("invalid_endpoint", "target_unsupported")


class InvalidSchedule(InvalidRequest):
    """A cron expression, time zone or combination of fields that means nothing."""

    codes = ("invalid_cron", "invalid_timezone", "invalid_schedule")


class AddressRefused(InvalidRequest):
    """The server calls no such address: only public https, unless its operator allows more."""

    codes = ("address_refused",)


class QuotaExceeded(TooManyRequests):
    """A quota of the project or the key is used up; the detail says which, and how far."""

    codes = ("quota_exceeded",)


class PreconditionFailed(Conflict):
    """It changed since it was read (If-Match)."""

    codes = ("precondition_failed",)


class KeyExpired(Unauthorized):
    """The key is no longer valid: a new one is needed."""

    codes = ("key_expired", "key_revoked", "token_expired")


# ---- files and data sets


class EmptyFile(InvalidRequest):
    """No bytes, or no row below the header."""

    codes = ("empty_file", "no_rows")


class UnreadableFile(InvalidRequest):
    """No reader can make sense of the bytes."""

    codes: ClassVar[tuple[str, ...]] = (
        *("not_a_table", "damaged_file", "unsupported_format", "wrong_format", "unknown_sheet"),
        "too_many_columns",
    )


class UnreadableArchive(UnreadableFile):
    """A zip that does not stand for one file: several, none, nested, or with a password."""

    codes = ("archive_members", "nested_archive", "encrypted_archive")


class HashMismatch(InvalidRequest):
    """What arrived is not what was sent."""

    codes = ("hash_mismatch",)


class UploadIncomplete(InvalidRequest):
    """Parts are missing or wrong; uploading the same file again sends only these."""

    codes = ("upload_incomplete", "no_such_part", "wrong_part_size")


class UploadConflict(Conflict):
    """The upload is over, or somebody else is at it."""

    codes = ("upload_completed", "upload_changed", "upload_busy")


class TooManyUploads(TooManyRequests):
    """Open uploads of yours; complete or abort some."""

    codes = ("too_many_uploads",)


class NoStructureColumn(InvalidRequest):
    """No column holds molecules; name one (`smiles=`), or say `kind="table"`."""

    codes = ("no_structure_column", "no_usable_column")


class PathNotAllowed(InvalidRequest):
    """A file of the server was named where none may be read; upload it instead."""

    codes = ("path_not_allowed", "bucket_not_allowed")


class ConflictingRoles(InvalidRequest):
    """Roles that cannot be together."""

    codes = ("conflicting_roles",)


class RowsRefused(InvalidRequest):
    """More rows are refused than `max_bad_fraction` allows; see the data set's rejected rows."""

    codes = ("rows_refused",)


class DatasetNotReady(Conflict):
    """It is still being ingested; follow its job."""

    codes = ("dataset_not_ready",)


class DatasetFailed(InvalidRequest):
    """Its ingest failed, so there is nothing to work with."""

    codes = ("dataset_failed",)


# ---- learning


class UnusableTarget(InvalidRequest):
    """The target column cannot be learned: missing, constant, of one class, not a number, ..."""

    codes = (
        *("no_target", "missing_target", "no_labels", "constant_target", "one_class"),
        *("too_many_classes", "target_not_numeric", "mixed_targets", "date_target"),
    )


class UnusableFeatures(InvalidRequest):
    """The features do not fit the data."""

    codes = ("features_do_not_fit", "constant_features", "featurizer_unavailable")


class UnusableSplit(InvalidRequest):
    """Too few rows or groups for the split that was asked for, or it leaks."""

    codes = (
        *("too_few_rows", "too_few_scaffolds", "too_few_groups", "too_few_folds"),
        *("bad_split_column", "too_many_to_cluster", "leak_found"),
    )


class ModelUnusable(Conflict):
    """The model is archived, of an older version of Retort, or its files were altered."""

    codes: ClassVar[tuple[str, ...]] = ("model_outdated", "model_archived")


class ModelAltered(ModelUnusable):
    """The model's files are not those that were trained."""

    codes = ("model_altered",)


class GateFailed(Conflict):
    """The version does not pass the alias's gate; `fields` is the table of checks."""

    codes = ("gate_failed",)


class AliasChanged(Conflict):
    """Somebody else moved the alias while the version was checked: read it again."""

    codes = ("alias_changed",)


class NoEarlierHolder(Conflict):
    """There is no version to go back to."""

    codes = ("no_earlier_holder",)


class ModelInUse(Conflict):
    """Aliases or endpoints point to the version; `fields` lists them."""

    codes = ("model_in_use",)


class InvalidSemver(InvalidRequest):
    """Not of the form 1.2.0."""

    codes = ("invalid_semver",)


class SemverTaken(Conflict):
    """Another version of the name has it."""

    codes = ("semver_taken",)


class ExportImpossible(InvalidRequest):
    """The model has no form in the format, or the converter is not installed."""

    codes = ("export_not_possible", "exporter_unavailable")


class BundleRefused(InvalidRequest):
    """The file is no unaltered bundle, or its model predicts otherwise here."""

    codes = ("bundle_refused", "bundle_altered", "bundle_predicts_otherwise")


# ---- how a job ends


class JobFailed(RetortError):
    """A job that was waited for failed or was cancelled; `job` is its last state."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = dict(job)
        problem = job.get("error") or {"detail": f"the job is {job['state']}", "code": job["state"]}
        super().__init__(problem)


class JobCancelled(JobFailed):
    """Somebody cancelled the job."""

    codes = ("cancelled_by_user", "cancelled")


class JobDeadlineExceeded(JobFailed):
    """The job's own `deadline_seconds` passed."""

    codes = ("deadline_exceeded",)


class WorkerLost(JobFailed):
    """Worker processes died while they ran the job, or were taken away."""

    codes: ClassVar[tuple[str, ...]] = ("lost_worker", "hung", "lease_lost", "drained")


class OutOfMemory(WorkerLost):
    """The job needs more memory than a worker has."""

    codes = ("out_of_memory",)


class DependencyFailed(JobFailed):
    """A job that this one needs did not succeed."""

    codes = ("dependency_failed",)


_FAMILIES: dict[int, type[RetortError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: PayloadTooLarge,
    429: TooManyRequests,
    500: ServerFault,
}


def family_of(status: int) -> type[RetortError]:
    return _FAMILIES.get(status) or (Unavailable if status >= 500 else InvalidRequest)


@cache
def classes() -> dict[str, type[RetortError]]:
    """Problem code to class."""

    def below(kind: type[RetortError]) -> list[type[RetortError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    known = [kind for kind in below(RetortError) if kind.__module__ == __name__]
    return {code: kind for kind in known for code in kind.codes}


def error_of(
    status: int, problem: Mapping[str, Any], *, retry_after: float | None = None
) -> RetortError:
    """The code's class where it belongs to the status's family, else the family's."""
    family = family_of(status)
    known = classes().get(str(problem.get("code")), family)
    kind = known if issubclass(known, family) and not issubclass(known, JobFailed) else family
    return kind(problem, status, retry_after=retry_after)


def failure_of(job: Mapping[str, Any]) -> JobFailed:
    """JobFailed, and also the class of the job's problem code."""
    code = str((job.get("error") or {}).get("code", job["state"]))
    return _failure_classes().get(code, JobFailed)(job)


@cache
def _failure_classes() -> dict[str, type[JobFailed]]:
    """Problem code to a class that is JobFailed too."""
    return {code: _both(kind) for code, kind in classes().items()}


def _both(kind: type[RetortError]) -> type[JobFailed]:
    if issubclass(kind, JobFailed):
        return kind
    return type(f"JobFailed{kind.__name__}", (JobFailed, kind), {"__module__": __name__})
