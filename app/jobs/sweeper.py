"""What keeps the promise that every accepted job ends: run every few seconds, by any number of
processes at once (each row is handled under its lock; a row that another sweeper holds is skipped).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import DeadlineExceeded, JobCancelled, LostWorker
from app.core.settings import Settings
from app.db.database import APPLICATION_NAME, Cursor, Database
from app.jobs.chunks import QUEUE_OF, TimeLimit
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.needs import settle_waiting
from app.jobs.states import Trigger
from app.jobs.transition import FINISH, RELEASE, end_attempt, transition
from app.jobs.worker_rows import HUNG

#: a message that was not picked up is sent again after 12 s, 24 s, ... at most 10 minutes
_RESEND_SECONDS = 12.0
_RESEND_LIMIT_SECONDS = 600.0
_BRANCHES = 8

_LOCKED: LiteralString = "id IN (SELECT id FROM jobs WHERE {} FOR UPDATE SKIP LOCKED LIMIT 500)"


@dataclass(frozen=True, kw_only=True)
class ChunkRef:
    job_id: UUID
    chunk: int
    kind: str
    #: where it waits, which for later chunks is not the job's own queue
    queue: str
    priority: int


@dataclass(kw_only=True)
class Sweep:
    """What is to be published now, and what was found (for the log and the metrics)."""

    jobs: list[Job] = field(default_factory=list)
    chunks: list[ChunkRef] = field(default_factory=list)
    finalize: list[Job] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, things: Iterable[object]) -> None:
        number = sum(1 for _ in things)
        if number:
            self.found[what] = self.found.get(what, 0) + number


def sweep(
    db: Database,
    settings: Settings,
    *,
    empty_queues: frozenset[str] = frozenset(),
    broker_forgot: bool = False,
) -> Sweep:
    """One round. `empty_queues`: queues that the broker says hold no message at all, so that every
    queued job of theirs has lost its message and is sent again without waiting. `broker_forgot`:
    it has lost all its messages since the last round, so that everything is.
    """
    result = Sweep()
    steps: list[Callable[[Cursor, Settings, Sweep], None]] = [
        _end_standstills,
        _take_back_lost_jobs,
        _take_back_lost_chunks,
        _stop_divided_jobs,
        _pass_deadlines,
        _requeue_due_retries,
        _settle_waiting,
        _find_finished_divisions,
    ]
    for step in steps:
        with db.cursor() as cursor:
            step(cursor, settings, result)
    values = {
        "empty": list(empty_queues),
        "forgot": broker_forgot,
        "first": _RESEND_SECONDS,
        "limit": _RESEND_LIMIT_SECONDS,
    }
    for resend in (_resend_jobs, _resend_chunks):
        with db.cursor() as cursor:
            resend(cursor, result, values)
    return result


def _end_standstills(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    """Transactions whose process has fallen silent between the statements of one `executemany`, and
    holds their locks. Those silent elsewhere Postgres ends by itself (`Database`); these it counts
    as active.
    """
    cursor.execute(
        "SELECT pg_terminate_backend(pid, 1000) AS ended FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user"
        " AND application_name = %s AND state = 'active' AND wait_event_type = 'Client'"
        " AND state_change < now() - make_interval(secs => %s)",
        (APPLICATION_NAME, settings.lease_seconds),
    )
    result.count("standstills", [row for row in cursor.fetchall() if row["ended"]])


def _take_back_lost_jobs(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    """Leases that expired: count the crash; again to the queue, or quarantined, or cancelled."""
    cursor.execute(
        "UPDATE jobs SET crash_count = crash_count + 1 WHERE "
        + _LOCKED.format("state = 'running' AND lease_expires_at < now()")
        + f" RETURNING {JOB_COLUMNS}"
    )
    for job in [Job.from_row(row) for row in cursor.fetchall()]:
        _take_back(cursor, settings, result, job)


def _take_back(cursor: Cursor, settings: Settings, result: Sweep, job: Job) -> None:
    one: LiteralString = "id = %(id)s"
    # the worker's parent says why when it killed the process itself
    died = f"the worker {job.worker} died or hung during attempt {job.attempt}"
    error = job.error or LostWorker(died).problem()
    result.count("lost_jobs", [job])
    values = {"id": job.id, "error": Jsonb(error)}
    if job.cancel_requested_at is not None:
        values["error"] = Jsonb(JobCancelled("cancelled; the worker was stopped").problem())
        transition(cursor, Trigger.STOPPED, condition=one, assign=FINISH + _ERROR, values=values)
        end_attempt(cursor, job, "cancelled", None)
    elif job.crash_count >= settings.max_crashes or job.attempt >= job.max_attempts:
        transition(
            cursor,
            Trigger.CRASHED_TOO_OFTEN,
            condition=one,
            assign=FINISH + _ERROR,
            values=values,
            event={"error": error},
        )
        end_attempt(cursor, job, "lost", dict(error))
    elif job.fanned_out_at is not None:
        # the finalizer died: the chunks are whole, only the last step runs again
        cursor.execute(
            "UPDATE jobs SET claim_token = NULL, lease_expires_at = NULL, dispatched_at = NULL"
            " WHERE id = %s",
            (job.id,),
        )
        return
    else:
        result.jobs += transition(
            cursor,
            Trigger.LEASE_LOST,
            condition=one,
            assign=RELEASE + _SENT,
            values=values,
            event={"error": error},
        )
        end_attempt(cursor, job, "lost", dict(error))
        return
    result.jobs += settle_waiting(cursor, after=job.id)


_ERROR: LiteralString = ", error = %(error)s"
_SENT: LiteralString = ", dispatched_at = now(), dispatch_count = dispatch_count + 1"


def _take_back_lost_chunks(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    """A chunk whose process died runs again; after `max_crashes` it is divided, down to one row."""
    cursor.execute(
        "UPDATE job_chunks SET crash_count = crash_count + 1, state = 'queued',"
        " claim_token = NULL, lease_expires_at = NULL, dispatched_at = NULL, run_at = NULL"
        " WHERE (job_id, chunk) IN (SELECT job_id, chunk FROM job_chunks"
        " WHERE state = 'running' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED LIMIT 500)"
        " RETURNING job_id, chunk, root, crash_count, source, start_row, stop_row, error,"
        " time_limit_seconds"
    )
    for row in cursor.fetchall():
        result.count("lost_chunks", [row])
        # what hung once would cost as much time again
        hung = (row["error"] or {}).get("code") == HUNG
        if row["crash_count"] < settings.max_crashes and not hung:
            continue
        if row["stop_row"] - row["start_row"] > 1:
            _split(cursor, settings, row)
            result.count("split_chunks", [row])
        else:
            _quarantine(cursor, row)
            result.count("quarantined_chunks", [row])


def _split(cursor: Cursor, settings: Settings, row: dict[str, Any]) -> None:
    """Pieces that have one crash to spare less: the poison is known to be in one of them.

    Bisection with eight branches: a row among a thousand is found after seven crashes, not twelve.
    """
    cursor.execute(
        "UPDATE job_chunks SET state = 'split', finished_at = now()"
        " WHERE job_id = %(job_id)s AND chunk = %(chunk)s",
        row,
    )
    limit = TimeLimit.from_settings(settings)
    for start, stop in _pieces(row["start_row"], row["stop_row"]):
        cursor.execute(
            "INSERT INTO job_chunks (job_id, chunk, root, source, start_row, stop_row, crash_count,"
            " time_limit_seconds) SELECT %(job_id)s, (SELECT max(chunk) + 1 FROM job_chunks"
            " WHERE job_id = %(job_id)s), %(root)s, %(source)s, %(start)s, %(stop)s, %(crashes)s,"
            " %(limit)s",
            {
                **row,
                "source": Jsonb(row["source"]),
                "start": start,
                "stop": stop,
                # a single row is not condemned by one crash, which may have come from outside
                "crashes": settings.max_crashes - 1 if stop - start > 1 else 0,
                "limit": row["time_limit_seconds"] and limit.of(stop - start),
            },
        )


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    """At most `_BRANCHES` ranges of nearly equal size, none empty."""
    count = min(_BRANCHES, stop - start)
    edges = [start + (stop - start) * n // count for n in range(count + 1)]
    return list(pairwise(edges))


def _quarantine(cursor: Cursor, row: dict[str, Any]) -> None:
    why = (row["error"] or {}).get("detail", "it crashed the process")
    problem = LostWorker(
        f"this row ended the worker process that handled it: {why}",
        remedy="Look at the structure; leave it out or report it.",
    ).problem()
    cursor.execute(
        "UPDATE job_chunks SET state = 'failed', finished_at = now(), error = %(error)s"
        " WHERE job_id = %(job_id)s AND chunk = %(chunk)s",
        {**row, "error": Jsonb(problem)},
    )


def _stop_divided_jobs(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    """Divided jobs that should stop: drop their queued chunks; ended once no chunk runs."""
    del settings
    due: LiteralString = (
        "state = 'running' AND fanned_out_at IS NOT NULL AND claim_token IS NULL"
        " AND (cancel_requested_at IS NOT NULL OR deadline_at < now())"
    )
    cursor.execute(
        "UPDATE job_chunks SET state = 'cancelled', finished_at = now() WHERE state = 'queued'"
        f" AND job_id IN (SELECT id FROM jobs WHERE {due})"
    )
    for late, problem in (
        (False, JobCancelled("cancelled; the chunks that had ended are kept").problem()),
        (True, DeadlineExceeded("the deadline passed while the job was running").problem()),
    ):
        stopped = transition(
            cursor,
            Trigger.STOPPED,
            condition=due + " AND (cancel_requested_at IS NULL) = %(late)s AND NOT EXISTS (SELECT 1"
            " FROM job_chunks c WHERE c.job_id = jobs.id AND c.state = 'running')",
            assign=FINISH + _ERROR,
            values={"late": late, "error": Jsonb(problem)},
            event={"error": problem},
        )
        for job in stopped:
            end_attempt(cursor, job, "cancelled", dict(problem))
            result.jobs += settle_waiting(cursor, after=job.id)
        result.count("stopped", stopped)


def _pass_deadlines(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    del settings
    problem = DeadlineExceeded("the deadline passed before the job started").problem()
    late = transition(
        cursor,
        Trigger.DEADLINE_PASSED,
        condition=_LOCKED.format(
            "state IN ('waiting', 'queued', 'retrying') AND deadline_at < now()"
        ),
        assign=FINISH + _ERROR,
        values={"error": Jsonb(problem)},
        event={"error": problem},
    )
    for job in late:
        result.jobs += settle_waiting(cursor, after=job.id)
    result.count("deadlines", late)


def _requeue_due_retries(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    del settings
    due = transition(
        cursor,
        Trigger.RETRY_DUE,
        condition=_LOCKED.format("state = 'retrying' AND run_at <= now()"),
        assign=_SENT,
    )
    result.jobs += due
    result.count("retries", due)


def _settle_waiting(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    del settings
    ready = settle_waiting(cursor)
    result.jobs += ready
    result.count("promoted", ready)


def _find_finished_divisions(cursor: Cursor, settings: Settings, result: Sweep) -> None:
    """The chord's body never came (a header died, Redis was lost): send it from here."""
    cursor.execute(
        "UPDATE jobs SET dispatched_at = now() WHERE "
        + _LOCKED.format(
            "state = 'running' AND fanned_out_at IS NOT NULL AND claim_token IS NULL"
            " AND cancel_requested_at IS NULL AND (deadline_at IS NULL OR deadline_at > now())"
            " AND (dispatched_at IS NULL OR dispatched_at < now() - make_interval(secs => %(age)s))"
            " AND NOT EXISTS (SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id"
            " AND c.state IN ('queued', 'running'))"
        )
        + f" RETURNING {JOB_COLUMNS}",
        {"age": settings.sweep_seconds / 2},
    )
    found = [Job.from_row(row) for row in cursor.fetchall()]
    result.finalize += found
    result.count("finalized", found)


_OVERDUE: LiteralString = (
    "({alias}dispatched_at IS NULL OR %(forgot)s"
    " OR {alias}dispatched_at < now() - make_interval(secs =>"
    " CASE WHEN {queue} = ANY(%(empty)s) THEN 2.0 ELSE"
    " least(%(limit)s, %(first)s * power(2, least({count}, 16))) END))"
)


def _resend_jobs(cursor: Cursor, result: Sweep, values: dict[str, Any]) -> None:
    cursor.execute(
        "UPDATE jobs SET dispatched_at = now(), dispatch_count = dispatch_count + 1 WHERE "
        + _LOCKED.format(
            "state = 'queued' AND "
            + _OVERDUE.format(alias="", queue="queue", count="greatest(dispatch_count - 1, 0)")
        )
        + f" RETURNING {JOB_COLUMNS}",
        values,
    )
    jobs = [Job.from_row(row) for row in cursor.fetchall()]
    result.jobs += jobs
    result.count("resent_jobs", jobs)


def _resend_chunks(cursor: Cursor, result: Sweep, values: dict[str, Any]) -> None:
    """A queued chunk of a running job; the patience doubles with each sending, as for jobs."""
    cursor.execute(
        "UPDATE job_chunks SET dispatched_at = now(),"
        " dispatch_count = job_chunks.dispatch_count + 1 FROM jobs j"
        " WHERE j.id = job_chunks.job_id AND (job_chunks.job_id, job_chunks.chunk) IN ("
        "   SELECT c.job_id, c.chunk FROM job_chunks c JOIN jobs ON jobs.id = c.job_id"
        "   WHERE c.state = 'queued' AND jobs.state = 'running'"
        "   AND jobs.cancel_requested_at IS NULL AND (c.run_at IS NULL OR c.run_at <= now()) AND "
        + _OVERDUE.format(
            alias="c.",
            queue=QUEUE_OF.format(chunk="c.chunk"),
            count="greatest(c.dispatch_count - 1, 0)",
        )
        + "   FOR UPDATE OF c SKIP LOCKED LIMIT 500)"
        " RETURNING job_chunks.job_id, job_chunks.chunk, j.kind, j.priority, "
        + QUEUE_OF.format(chunk="job_chunks.chunk")
        + " AS queue",
        values,
    )
    chunks = [ChunkRef(**row) for row in cursor.fetchall()]
    result.chunks += chunks
    result.count("resent_chunks", chunks)
