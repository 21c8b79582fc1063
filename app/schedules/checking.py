"""Whether a schedule can run: everything is looked at when it is written, as POST /jobs would."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.errors import FieldError, InvalidInput
from app.core.names import listed, shown
from app.kinds.from_results import contains_references
from app.kinds.references import field
from app.kinds.submission import Submission, check
from app.kinds.table import KINDS
from app.kinds.validation import parse_params
from app.resources import Resources
from app.schedules.cron import parse_cron
from app.schedules.retraining import check_retrain
from app.schedules.spec import RETRAIN, JobTemplate, ScheduleFields

_SECOND = timedelta(seconds=1)


def check_spec(resources: Resources, principal: Principal, spec: ScheduleFields) -> None:
    """Raises InvalidInput, UnknownName, NotFound naming the field."""
    parse_cron(spec.cron, spec.timezone)
    _check_shape(spec)
    if spec.job is not None:
        _check_job(resources, principal, spec.job)
    if spec.retrain is not None:
        # never committed
        with Session(resources.database.engine) as session, field("/retrain"):
            check_retrain(resources, session, principal, spec.retrain)


def _check_shape(spec: ScheduleFields) -> None:
    if (spec.job is None) == (spec.retrain is None):
        raise _invalid("/job", "a schedule has one of `job` and `retrain`")
    if spec.retrain is not None and spec.overlap == "allow":
        raise _invalid("/overlap", "trainings of one model do not overlap: skip or queue them")
    if spec.start_at is not None and spec.end_at is not None and spec.end_at <= spec.start_at:
        raise _invalid("/end_at", "it ends before it starts")


def _invalid(pointer: str, detail: str) -> InvalidInput:
    error = FieldError(pointer=pointer, code="value_error", detail=detail)
    return InvalidInput(f"{pointer}: {detail}", code="invalid_schedule", errors=[error])


def _check_job(resources: Resources, principal: Principal, job: JobTemplate) -> None:
    if job.kind not in KINDS:
        detail = f"{shown(job.kind)} is no kind of job; it is one of {listed(job.kind, KINDS)}"
        error = FieldError(pointer="/job/kind", code="unknown_kind", detail=detail)
        raise InvalidInput(detail, errors=[error])
    with field("/job"):
        check(resources, principal, submission_of(job))


def submission_of(job: JobTemplate, **labels: str) -> Submission:
    """Raises InvalidInput naming the field."""
    if contains_references(job.params):
        detail = "a scheduled job stands alone: there is no other job to take a value from"
        error = FieldError(pointer="/params", code="wrong_reference", detail=detail)
        raise InvalidInput(detail, errors=[error])
    return Submission(
        kind=job.kind,
        params=parse_params(KINDS[job.kind], job.params),
        labels={**job.labels, **labels},
        priority=job.priority,
        deadline_seconds=job.deadline_seconds,
    )


def kind_and_template(spec: ScheduleFields) -> tuple[str, dict[str, Any], str | None]:
    """What is stored: (kind, template, subject)."""
    if spec.retrain is not None:
        template = spec.retrain.model_dump(mode="json")
        return RETRAIN, template, f"{RETRAIN}:{spec.retrain.model}"
    if spec.job is None:
        raise _invalid("/job", "a schedule has one of `job` and `retrain`")
    return spec.job.kind, spec.job.model_dump(mode="json"), None


def next_run(spec: ScheduleFields, after: datetime) -> datetime | None:
    """The first moment after this one within the schedule's time; None: there is none."""
    if spec.start_at is not None and spec.start_at > after:
        # a run at the very start is one
        after = spec.start_at.astimezone(UTC).replace(microsecond=0) - _SECOND
    found = next(parse_cron(spec.cron, spec.timezone).after(after), None)
    if found is None or (spec.end_at is not None and found > spec.end_at):
        return None
    return found
