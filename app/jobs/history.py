"""What jobs of a project took, for estimates of the next one."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from app.db.database import Cursor, Database

_MOST = 500

_SIZES: LiteralString = """
    LEFT JOIN datasets d ON d.id = ({params}->>'dataset_id')::uuid
    LEFT JOIN files f ON f.id = coalesce(({params}->>'file_id')::uuid, d.file_id)
"""

_HISTORY: LiteralString = (
    """
SELECT j.kind, j.params, d.rows_ok, f.size AS file_bytes, a.peak_memory_bytes,
       extract(epoch FROM a.ended_at - a.started_at)::float AS seconds
FROM jobs j
JOIN job_attempts a ON a.job_id = j.id AND a.outcome = 'succeeded'
"""
    + _SIZES.format(params="j.params")
    + """
WHERE j.project_id = %(project_id)s AND j.state = 'succeeded'
ORDER BY j.id DESC LIMIT %(most)s
"""
)

_SIZE: LiteralString = (
    "SELECT d.rows_ok, f.size AS file_bytes FROM (SELECT %(params)s::jsonb AS params) AS j"
    + _SIZES.format(params="j.params")
)


@dataclass(frozen=True, kw_only=True)
class PastJob:
    """A job that succeeded: what it was asked, and what the successful attempt took."""

    kind: str
    params: dict[str, Any]
    #: of the data set it worked on; None: it had none
    rows: int | None
    #: of the file that it, or its data set, was read from
    file_bytes: int | None
    seconds: float
    #: None: it ran under a release that did not measure
    peak_memory_bytes: int | None


def past_jobs(db: Database, project_id: UUID) -> list[PastJob]:
    """The newest first."""
    with db.cursor() as cursor:
        cursor.execute(_HISTORY, {"project_id": project_id, "most": _MOST})
        return [
            PastJob(
                kind=row["kind"],
                params=row["params"],
                rows=row["rows_ok"],
                file_bytes=row["file_bytes"],
                seconds=max(row["seconds"], 0.01),
                peak_memory_bytes=row["peak_memory_bytes"],
            )
            for row in cursor.fetchall()
        ]


def size_of(cursor: Cursor, params: Any) -> tuple[int | None, int | None]:
    """Rows of the data set and bytes of the file that resolved params (jsonb) name."""
    cursor.execute(_SIZE, {"params": params})
    row = cursor.fetchone()
    return (None, None) if row is None else (row["rows_ok"], row["file_bytes"])
