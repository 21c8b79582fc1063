"""Ending a run: fenced by the claim token, so that the effect of a job happens exactly once."""

import random
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from app.core.errors import (
    DeadlineExceeded,
    InternalError,
    JobCancelled,
    LeaseLost,
    Problem,
    RetortError,
    Retryable,
)
from app.core.work import Outcome
from app.db.database import Cursor, Database, cursor_of
from app.jobs.model import Job
from app.jobs.needs import settle_waiting
from app.jobs.outages import is_outage, service_of
from app.jobs.put_back import put_back_jobs, put_back_last_steps
from app.jobs.states import Trigger
from app.jobs.transition import FINISH, RELEASE, end_attempt, transition

_FENCE: LiteralString = "id = %(id)s AND claim_token = %(token)s"
_ALL_DONE: LiteralString = (
    ", progress = progress || jsonb_build_object('percent', 100.0, 'stage', 'done', 'message', '')"
)
_BACKOFF_BASE_SECONDS = 5.0
_BACKOFF_LIMIT_SECONDS = 600.0
#: retries after outages before a job (or chunk) gives up: about an hour of backing off
MAX_OUTAGES = 12


def succeed(db: Database, job: Job, outcome: Outcome) -> list[Job]:
    """Commit the outcome together with the job's end; the waiting jobs that may now start.

    Raises LeaseLost (and leaves nothing behind) when another worker owns the job.
    """
    with db.session() as session:
        cursor = cursor_of(session)
        cursor.execute(
            "SELECT 1 FROM jobs WHERE " + _FENCE + " AND state = 'running' FOR UPDATE", _fence(job)
        )
        if cursor.fetchone() is None:
            raise LeaseLost(f"job {job.id} is not ours any more")
        added = outcome.commit(session) if outcome.commit is not None else None
        session.flush()
        transition(
            cursor,
            Trigger.SUCCEED,
            condition=_FENCE,
            assign=FINISH + ", result = %(result)s, counts = %(counts)s, error = NULL" + _ALL_DONE,
            values={
                **_fence(job),
                "result": Jsonb(outcome.result | (added or {})),
                "counts": Jsonb(outcome.counts),
            },
        )
        end_attempt(cursor, job, "succeeded", None)
        return settle_waiting(cursor, after=job.id)


def end_badly(db: Database, job: Job, error: BaseException) -> list[Job]:
    """Retry, cancel or fail by the kind of error; jobs to publish. A lost lease changes nothing."""
    if isinstance(error, LeaseLost):
        return []
    problem = problem_of(error)
    with db.cursor() as cursor:
        if isinstance(error, JobCancelled | DeadlineExceeded):
            _end(cursor, job, Trigger.STOPPED, problem)
        elif is_outage(error) and (outages := _outages(cursor, job)) < MAX_OUTAGES:
            delay = backoff_seconds(outages, error)
            if job.fanned_out_at is None:
                _retry_later(cursor, job, problem, delay)
            else:
                _finalize_later(cursor, job, problem, delay)
            return []
        else:
            _end(cursor, job, Trigger.FAIL, problem)
        return settle_waiting(cursor, after=job.id)


def put_back(db: Database, job: Job) -> None:
    """Return a job to its queue without spending an attempt (the worker is shutting down).

    Of a divided job only the last step goes back: its chunks have ended and are kept.
    """
    with db.cursor() as cursor:
        if job.fanned_out_at is not None:
            put_back_last_steps(cursor, _FENCE, _fence(job))
        else:
            put_back_jobs(cursor, _FENCE, _fence(job))


def problem_of(error: BaseException) -> Problem:
    """What a person is told; the trace of an unexpected error stays in the log."""
    if isinstance(error, RetortError):
        return error.problem()
    if isinstance(error, MemoryError):
        return InternalError(
            "the job needed more memory than the worker has", code="out_of_memory"
        ).problem()
    if is_outage(error):
        return Retryable(f"{service_of(error)} did not answer").problem()
    return InternalError(
        "the work failed for a reason of ours",
        remedy="Retry the job; if it fails again, tell the operator its id: the worker's log has "
        "the trace.",
    ).problem()


def _end(cursor: Cursor, job: Job, trigger: Trigger, problem: Problem) -> None:
    moved = transition(
        cursor,
        trigger,
        condition=_FENCE,
        assign=FINISH + ", error = %(error)s",
        values={**_fence(job), "error": Jsonb(problem)},
        event={"error": problem},
    )
    if moved:
        outcome = "cancelled" if trigger is Trigger.STOPPED else "failed"
        end_attempt(cursor, job, outcome, dict(problem))


def _retry_later(cursor: Cursor, job: Job, problem: Problem, delay: float) -> None:
    """An outage is nobody's fault: it costs no attempt."""
    moved = transition(
        cursor,
        Trigger.RETRY_LATER,
        condition=_FENCE,
        assign=RELEASE + ", error = %(error)s, run_at = now() + make_interval(secs => %(delay)s),"
        " max_attempts = max_attempts + 1",
        values={**_fence(job), "error": Jsonb(problem), "delay": delay},
        event={"error": problem, "after_seconds": round(delay, 1)},
    )
    if moved:
        end_attempt(cursor, job, "retrying", dict(problem))


def _finalize_later(cursor: Cursor, job: Job, problem: Problem, delay: float) -> None:
    """The chunks are whole; the sweeper sends the last step again when the delay is over."""
    cursor.execute(
        "UPDATE jobs SET claim_token = NULL, lease_expires_at = NULL,"
        " dispatched_at = now() + make_interval(secs => %(delay)s)"
        " WHERE state = 'running' AND " + _FENCE + " RETURNING id",
        {**_fence(job), "delay": delay},
    )
    if cursor.fetchone() is not None:
        data = {**problem, "level": "warning", "after_seconds": round(delay, 1)}
        cursor.execute(
            "INSERT INTO job_events (job_id, type, data) VALUES (%s, 'outage', %s)",
            (job.id, Jsonb(data)),
        )


def _outages(cursor: Cursor, job: Job) -> int:
    """That it was retried after, as its log tells."""
    cursor.execute(
        "SELECT count(*) AS n FROM job_events WHERE job_id = %s AND (type = 'outage'"
        " OR type = 'state' AND data->>'trigger' = %s)",
        (job.id, Trigger.RETRY_LATER.value),
    )
    row = cursor.fetchone()
    return row["n"] if row else 0


def backoff_seconds(outages: int, error: BaseException) -> float:
    """What the error asks for, else exponential backoff with full jitter above half."""
    if isinstance(error, Retryable) and error.after is not None:
        return error.after
    ceiling: float = min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_BASE_SECONDS * 2**outages)
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret


def _fence(job: Job) -> dict[str, Any]:
    return {"id": job.id, "token": job.claim_token}
