"""The trace that a job belongs to, kept for the processes that go on with it."""

from uuid import UUID

from app.db.database import Database


def traceparent_of(db: Database, job_id: UUID) -> str | None:
    """W3C trace context of its submission; None: it is not traced."""
    with db.cursor() as cursor:
        cursor.execute("SELECT traceparent FROM job_traces WHERE job_id = %s", (job_id,))
        row = cursor.fetchone()
    return None if row is None else row["traceparent"]
