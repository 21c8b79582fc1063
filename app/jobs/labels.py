"""Labels of a job, changed afterwards: a merge patch (RFC 7396) on the map."""

from collections.abc import Callable
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import FieldError, InvalidInput
from app.db.database import Cursor, Database
from app.jobs.model import Job
from app.jobs.store import fetch_job

MAX_LABELS = 50

#: null takes a label away
_PATCHED: LiteralString = "jsonb_strip_nulls(labels || %(patch)s)"
#: jobs whose labels the patch changes; one that would have too many is left alone
RELABELLED: LiteralString = (
    f"labels <> {_PATCHED} AND (SELECT count(*) FROM jsonb_object_keys({_PATCHED})) <= {MAX_LABELS}"
)
_RELABEL: LiteralString = f"""
WITH changed AS (
    UPDATE jobs SET labels = {_PATCHED}, version = version + 1
    WHERE id = ANY(%(ids)s) AND {RELABELLED}
    RETURNING id, labels
), told AS (
    INSERT INTO job_events (job_id, type, data)
    SELECT id, 'labels', jsonb_build_object('labels', labels) || %(event)s FROM changed
)
SELECT id, pg_notify('retort_jobs', id::text) FROM changed ORDER BY id
"""


def relabel(
    db: Database,
    project_id: UUID,
    job_id: UUID,
    patch: dict[str, str | None],
    *,
    by: str,
    check: Callable[[Job], None] | None = None,
) -> Job:
    """The job with its labels changed; `check` may refuse what it sees (an `If-Match`).

    Raises NotFound, InvalidInput (more than `MAX_LABELS`).
    """
    with db.cursor() as cursor:
        job = fetch_job(cursor, project_id, job_id, lock=True)
        if check is not None:
            check(job)
        left = {k for k in {**job.labels, **patch} if patch.get(k, "") is not None}
        if len(left) > MAX_LABELS:
            detail = f"a job has at most {MAX_LABELS} labels; it would have {len(left)}"
            raise InvalidInput(
                detail, errors=[FieldError(pointer="/labels", code="too_long", detail=detail)]
            )
        relabel_all(cursor, [job_id], patch, event={"by": by})
        return fetch_job(cursor, project_id, job_id)


def relabel_all(
    cursor: Cursor, job_ids: list[UUID], patch: dict[str, str | None], *, event: dict[str, Any]
) -> list[UUID]:
    """Those of the jobs whose labels the patch changes; one that would have too many is left."""
    cursor.execute(_RELABEL, {"ids": job_ids, "patch": Jsonb(patch), "event": Jsonb(event)})
    return [row["id"] for row in cursor.fetchall()]
