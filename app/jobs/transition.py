"""The one statement that changes a job's state: guarded, versioned, logged and announced."""

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from app.db.database import Cursor
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.states import RULES, Trigger
from app.jobs.telling import tell_moves

#: NOTIFY channel; the payload is the job's id
CHANNEL = "retort_jobs"

_STATEMENT: LiteralString = """
WITH moved AS (
    UPDATE jobs
    SET state = %(to_state)s, version = version + 1{assign}
    WHERE state = ANY(%(from_states)s) AND ({condition})
    RETURNING {columns}
), told AS (
    INSERT INTO job_events (job_id, type, data)
    SELECT id, 'state', jsonb_build_object(
        'state', state, 'attempt', attempt, 'trigger', %(trigger)s::text, 'version', version
    ) || %(event)s
    FROM moved
)
SELECT moved.*, pg_notify('retort_jobs', moved.id::text) FROM moved
"""

_END_ATTEMPT: LiteralString = """
UPDATE job_attempts SET ended_at = now(), outcome = %(outcome)s, error = %(error)s
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND ended_at IS NULL
"""

#: what releases a claim, for every trigger that ends a run
RELEASE: LiteralString = ", claim_token = NULL, lease_expires_at = NULL, fanned_out_at = NULL"
FINISH: LiteralString = RELEASE + ", finished_at = now()"


def transition(
    cursor: Cursor,
    trigger: Trigger,
    *,
    condition: LiteralString,
    assign: LiteralString = "",
    values: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
) -> list[Job]:
    """Move every job that meets `condition` and whose state the rule allows; the moved ones.

    An empty list means that the guard refused: the state was another one, or the fence
    (`claim_token` in the condition) did not hold. `assign` is SQL such as ", run_at = now()".
    """
    rule = RULES[trigger]
    cursor.execute(
        _STATEMENT.format(assign=assign, condition=condition, columns=JOB_COLUMNS),
        {
            **(values or {}),
            "to_state": rule.target.value,
            "from_states": [state.value for state in rule.sources],
            "trigger": trigger.value,
            "event": Jsonb(event or {}),
        },
    )
    moved = [Job.from_row(row) for row in cursor.fetchall()]
    tell_moves(cursor, trigger, moved)
    return moved


def end_attempt(cursor: Cursor, job: Job, outcome: str, error: dict[str, Any] | None) -> None:
    cursor.execute(
        _END_ATTEMPT,
        {
            "job_id": job.id,
            "attempt": job.attempt,
            "outcome": outcome,
            "error": None if error is None else Jsonb(error),
        },
    )
