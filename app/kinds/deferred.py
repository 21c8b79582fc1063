"""Jobs some of whose params come from the results of jobs that they need.

Such a job waits unfilled: it "needs itself" as well (a row of `job_needs`), so that nobody, an
engine of the release before included, queues it as it is. When the others have succeeded, one
transaction fills the values in, validates the whole as if a user had sent it, resolves its names,
chooses its queue, takes the job's need of itself away and queues it, or fails it. Whoever dies
in between has done nothing; two at once are one (the row is locked). It is tried right after
the end of each needed job, and by every sweep.
"""

import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.core.errors import FieldError, InvalidInput, RetortError
from app.db.database import cursor_of
from app.jobs.finish import problem_of
from app.jobs.model import Job
from app.jobs.needs import settle_waiting
from app.jobs.outages import is_outage
from app.jobs.submit import NewJob
from app.jobs.unfilled import (
    fail_unusable,
    is_unfilled,
    next_ready,
    results_of_needs,
    store_filled,
)
from app.kinds.base import JobKind, unresolved
from app.kinds.from_results import (
    MARK,
    Reference,
    contains_references,
    need_of,
    references_in,
    rewritten,
    value_of,
    without,
)
from app.kinds.table import KINDS
from app.kinds.validation import invalid_params, parse_params
from app.resources import Resources

logger = logging.getLogger(__name__)


# ---- when it is accepted


def deferred(resources: Resources, session: Session, new: NewJob) -> NewJob:
    """`new` with every reference naming a job's id, waiting for itself as well. What is known of
    its params already is validated and resolved, as far as it does not hang on what comes later.

    Raises as the resolution of the kind does, and InvalidInput for a reference to no need.
    """
    references = references_in(new.params)
    params = rewritten(
        new.params, references, lambda one: {MARK: one.text(need_of(one, new.needs))}
    )
    _check_the_rest(resources, session, new, references)
    return replace(new, params=params, needs=(*new.needs, new.id))


def _check_the_rest(
    resources: Resources, session: Session, new: NewJob, references: list[Reference]
) -> None:
    kind = KINDS[new.kind]
    try:
        params = kind.params.model_validate(without(new.params, references))
    except ValidationError as error:
        _raise_unrelated(kind, error, references)
        return
    trial = session.begin_nested()
    try:
        kind.resolve(
            resources, session, replace(new, params=params.model_dump(mode="json")), params
        )
    except RetortError as error:
        if not error.errors or not all(_comes_later(one, references) for one in error.errors):
            raise
    finally:
        trial.rollback()


def _raise_unrelated(kind: JobKind, error: ValidationError, references: list[Reference]) -> None:
    """Errors at a reference, below it, or about an object that holds it, are not known yet."""
    places = [[str(part) for part in reference.place] for reference in references]
    wrong = [
        item
        for item in error.errors()
        if not any(_one_within_other([str(p) for p in item["loc"]], place) for place in places)
    ]
    if wrong:
        raise invalid_params(kind, wrong) from error


def _one_within_other(first: list[str], second: list[str]) -> bool:
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _comes_later(error: FieldError, references: list[Reference]) -> bool:
    below = any(
        error["pointer"] == one.pointer or error["pointer"].startswith(f"{one.pointer}/")
        for one in references
    )
    # a plug-in's parameter without default, of parameters that were left out for now
    return below or error["code"] == "missing"


# ---- when what it needs has succeeded

_MAX_AT_ONCE = 500


def fill_ready(
    resources: Resources, *, only: UUID | None = None, after: UUID | None = None
) -> list[Job]:
    """Fill in every waiting job whose needs have succeeded; the jobs to publish. `only`: look at
    this job; `after`: at the jobs that need this one; neither: at all (the sweep).
    """
    ready: list[Job] = []
    for _ in range(_MAX_AT_ONCE):
        with resources.database.session() as session:
            job = next_ready(cursor_of(session), only=only, after=after)
            if job is None:
                break
            ready += _fill_or_fail(resources, session, job)
    return ready


def _fill_or_fail(resources: Resources, session: Session, job: Job) -> list[Job]:
    cursor = cursor_of(session)
    try:
        with session.begin_nested():
            fill(resources, session, job)
    except Exception as error:
        if is_outage(error):
            raise
        if not isinstance(error, RetortError):
            logger.exception("job %s could not be filled in", job.id)
        return fail_unusable(cursor, job, problem_of(error))
    return settle_waiting(cursor, only=job.id)


def fill_if_deferred(resources: Resources, session: Session, job: Job) -> None:
    """Before a retry by hand. Raises InvalidInput when the values are still of no use."""
    if is_unfilled(cursor_of(session), job.id):
        fill(resources, session, job)


def fill(resources: Resources, session: Session, job: Job) -> None:
    """Store the job's params whole and resolved, and its queue; it no longer needs itself.

    Raises InvalidInput naming the field, the value, and where that came from.
    """
    cursor = cursor_of(session)
    references = references_in(job.params)
    results = results_of_needs(cursor, job)
    for one in references:
        need_of(one, [UUID(known) for known in results])
    values = {one.place: value_of(one, results[one.job], one.job) for one in references}
    filled = rewritten(job.params, references, lambda one: values[one.place])
    _check_values(resources, filled)
    kind = KINDS[job.kind]
    try:
        params = parse_params(kind, filled)
        new, attach = kind.resolve(
            resources, session, _as_new(job, unresolved(params.model_dump(mode="json"))), params
        )
    except RetortError as error:
        _tell_sources(error, references, values)
        if isinstance(error.__cause__, ValidationError):
            # no request was sent that somebody could correct
            raise InvalidInput(error.detail, errors=error.errors) from error
        raise
    store_filled(cursor, new)
    if attach is not None:
        attach(session, job)


def _check_values(resources: Resources, filled: dict[str, Any]) -> None:
    """What a user could not have sent is not let in by this door either."""
    if contains_references(filled):
        raise InvalidInput("a value that was filled in holds a reference itself")
    size, limit = len(orjson.dumps(filled)), resources.settings.max_body_bytes
    if size > limit:
        raise InvalidInput(f"the params are {size} bytes with what was filled in, over {limit}")


def _as_new(job: Job, params: dict[str, Any]) -> NewJob:
    return NewJob(
        id=job.id,
        project_id=job.project_id,
        kind=job.kind,
        queue=KINDS[job.kind].queue,
        params=params,
        created_by=job.created_by,
        labels={},
        warnings=tuple(job.warnings),
    )


def _tell_sources(error: RetortError, references: list[Reference], values: dict[Any, Any]) -> None:
    """Which value was refused, and whose result it came from, for each field that is named."""
    for wrong in error.errors:
        for one in references:
            held = one.pointer.startswith(f"{wrong['pointer']}/")
            if held or f"{wrong['pointer']}/".startswith(f"{one.pointer}/"):
                value = repr(values[one.place])[:200]
                wrong["detail"] += f" (filled in from {one.text(one.job)}: {value})"
    if error.errors:
        error.detail = "; ".join(f"{one['pointer']}: {one['detail']}" for one in error.errors[:5])
