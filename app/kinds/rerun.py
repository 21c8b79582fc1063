"""A job run again as a new one, with edits, and what the edits changed."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.errors import Conflict, FieldError, InvalidInput
from app.core.json_values import Change, difference, merge_patch
from app.core.requests import RequestModel
from app.jobs.model import Job
from app.kinds.base import RESOLVED, JobKind
from app.kinds.from_results import contains_references
from app.kinds.submission import Submission
from app.kinds.table import KINDS
from app.kinds.validation import parse_params

#: labels that say which workflow a job was made by; its reruns are not
WORKFLOW_LABELS = frozenset({"workflow", "workflow_job"})


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What the new job shall have otherwise; what is not said stays as the first job had it."""

    #: merge patch (RFC 7396) on the params
    params: dict[str, Any]
    #: merge patch on the labels
    labels: dict[str, str | None]
    priority: int | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rerun:
    submission: Submission
    difference: list[Change]


def edited(first: Job, edits: Edits) -> Rerun:
    """The submission of the new job. A rerun of `esol` uses what the user wrote, resolved anew:
    ids that the gateway had filled in (RESOLVED) are left out, so that it takes the newest version
    of the data set or the model that the alias names now; `esol:1` stays `esol:1`. Values that
    were filled in from needed jobs stay as they were.

    Raises InvalidInput naming the field when the patched params are not valid.
    """
    kind = KINDS.get(first.kind)
    if kind is None:
        raise Conflict(f"jobs of kind {first.kind!r} are not accepted any more")
    _refuse_resolved(edits.params)
    written = {name: value for name, value in first.params.items() if name not in RESOLVED}
    params, needs = _parsed(kind, first, merge_patch(written, edits.params))
    labels = {k: v for k, v in first.labels.items() if k not in WORKFLOW_LABELS}
    submission = Submission(
        kind=first.kind,
        params=params,
        needs=needs,
        labels=merge_patch(labels, edits.labels),
        priority=first.priority if edits.priority is None else edits.priority,
        deadline_seconds=edits.deadline_seconds or _deadline_seconds(first),
        rerun_of=first.id,
    )
    before = _shown(labels, first.priority, _deadline_seconds(first), _as_now(kind, written))
    after = _shown(
        submission.labels,
        submission.priority,
        submission.deadline_seconds,
        _plain(params),
    )
    return Rerun(submission=submission, difference=difference(before, after))


def _parsed(
    kind: JobKind, first: Job, values: dict[str, Any]
) -> tuple[RequestModel | dict[str, Any], tuple[UUID, ...]]:
    """Validated; or, while values are still to come from jobs that the first one needs, as they
    are, with those needs.
    """
    if contains_references(values):
        return values, first.needs
    return parse_params(kind, values), ()


def _plain(params: RequestModel | dict[str, Any]) -> dict[str, Any]:
    if isinstance(params, dict):
        return params
    return params.model_dump(mode="json", exclude=set(RESOLVED))


def _shown(
    labels: dict[str, str], priority: int, deadline_seconds: float | None, params: dict[str, Any]
) -> dict[str, Any]:
    return {
        "deadline_seconds": deadline_seconds,
        "labels": labels,
        "params": params,
        "priority": priority,
    }


def _as_now(kind: JobKind, written: dict[str, Any]) -> dict[str, Any]:
    """With the defaults of fields that are newer than the job: they are no edit."""
    if contains_references(written):
        return written
    try:
        return _plain(parse_params(kind, written))
    except InvalidInput:  # a value that is not allowed any more, which the patch has mended
        return written


def _deadline_seconds(job: Job) -> float | None:
    if job.deadline_at is None:
        return None
    return max(1.0, round((job.deadline_at - job.created_at).total_seconds(), 3))


def _refuse_resolved(patch: dict[str, Any]) -> None:
    wrong = [
        FieldError(
            pointer=f"/params/{name}",
            code="resolved_by_the_gateway",
            detail="it is filled in when the job is accepted; name the data set or the model",
        )
        for name in sorted(RESOLVED & patch.keys())
    ]
    if wrong:
        detail = f"{wrong[0]['pointer']}: {wrong[0]['detail']}"
        raise InvalidInput(detail, code="invalid_request", errors=wrong)
