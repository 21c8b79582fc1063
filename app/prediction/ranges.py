"""Rows of a predict job by their numbers: from its chunks while it runs, then from its result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.core.errors import ContentMissing, InvalidInput
from app.db.database import Database
from app.jobs.store import get_job
from app.resources import Resources
from app.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Range:
    """Rows [start, stop) of a job's answer, counted from 1, as far as they are there."""

    items: list[dict[str, Any]]
    #: (first, last) of rows that are not there: not yet, or never where the job has ended
    missing: list[tuple[int, int]]
    #: of the whole job; None: its file has not been read yet
    rows_total: int | None
    #: the first row behind the range; None: there is none
    next_row: int | None
    state: str


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Rows [start, stop) in one blob; without a key they are not there."""

    start: int
    stop: int
    key: str | None


def rows_of(resources: Resources, project_id: UUID, job_id: UUID, start: int, limit: int) -> Range:
    """Raises NotFound, and InvalidInput for a job of another kind."""
    job = get_job(resources.database, project_id, job_id)
    if job.kind != "predict":
        raise InvalidInput(
            f"the job is of kind {job.kind}, which answers no rows",
            code="no_rows_here",
            remedy="Ask for the rows of a predict job; others have artifacts.",
        )
    parts = _parts(resources.database, job_id)
    try:
        return _range(resources.storage, parts, start, limit, job.state.value)
    except ContentMissing:
        # the job has ended since we looked: its parts became the result
        job = get_job(resources.database, project_id, job_id)
        parts = _parts(resources.database, job_id)
        return _range(resources.storage, parts, start, limit, job.state.value)


def _range(storage: Storage, parts: list[_Part], start: int, limit: int, state: str) -> Range:
    total = parts[-1].stop - 1 if parts else None
    stop = start + limit if total is None else min(start + limit, total + 1)
    items: list[dict[str, Any]] = []
    missing: list[tuple[int, int]] = []
    for part in parts:
        low, high = max(start, part.start), min(stop, part.stop)
        if low >= high:
            continue
        if part.key is None:
            # neighbours become one
            first = missing.pop()[0] if missing and missing[-1][1] == low - 1 else low
            missing.append((first, high - 1))
            continue
        for table in _slices(storage, part.key, low - part.start, high - part.start):
            items += table.to_pylist()
    behind = total is not None and stop <= total
    return Range(
        items=items,
        missing=missing,
        rows_total=total,
        next_row=stop if behind else None,
        state=state,
    )


def _slices(storage: Storage, key: str, start: int, stop: int) -> "Iterator[pa.Table]":
    """Rows [start, stop) of a Parquet blob; row groups outside are not read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(storage.local_path(key)) as file:
        first = 0
        for number in range(file.num_row_groups):
            after = first + file.metadata.row_group(number).num_rows
            if first < stop and start < after:
                low = max(start - first, 0)
                group = file.read_row_group(number, use_threads=False)
                yield group.slice(low, min(stop, after) - first - low)
            first = after


def _parts(db: Database, job_id: UUID) -> list[_Part]:
    """In order, without gaps. Chunks know how many rows they have, not which: those before them
    are counted.
    """
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT storage_key, (j.counts->>'rows_total')::int AS rows FROM files f"
            " JOIN jobs j ON j.id = f.job_id WHERE f.job_id = %s"
            " AND f.name = 'predictions.parquet' AND j.state = 'succeeded'",
            (job_id,),
        )
        whole = cursor.fetchone()
        if whole is not None:
            return [_Part(start=1, stop=whole["rows"] + 1, key=whole["storage_key"])]
        cursor.execute(
            "SELECT stop_row - start_row AS rows,"
            " CASE WHEN state = 'succeeded' THEN result->>'key' END AS key"
            " FROM job_chunks WHERE job_id = %s AND state <> 'split' ORDER BY root, start_row",
            (job_id,),
        )
        parts, start = [], 1
        for row in cursor.fetchall():
            parts.append(_Part(start=start, stop=start + row["rows"], key=row["key"]))
            start += row["rows"]
        return parts
