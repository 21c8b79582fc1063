"""The spans of an attempt and of a chunk, each with the claim that began it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.core.tracing import is_tracing, record, span
from app.jobs.model import Chunk, Job
from app.jobs.traces import traceparent_of
from app.resources import get_resources


@contextmanager
def job_span(name: str, job: Job, since: int) -> Iterator[None]:
    """Around an attempt, whose claim began at `since` (ns)."""
    made = span(
        name,
        kind="consumer",
        traceparent=_trace_of(job.id),
        job_id=str(job.id),
        job_kind=job.kind,
        job_queue=job.queue,
        job_attempt=job.attempt,
    )
    with made:
        record("job claim", since, job_id=str(job.id), job_attempt=job.attempt)
        yield


@contextmanager
def chunk_span(chunk: Chunk, since: int) -> Iterator[None]:
    made = span(
        "job chunk",
        kind="consumer",
        traceparent=_trace_of(chunk.job_id),
        job_id=str(chunk.job_id),
        job_kind=chunk.kind,
        job_attempt=chunk.job_attempt,
        job_chunk=chunk.chunk,
    )
    with made:
        record("job claim", since, job_id=str(chunk.job_id), job_chunk=chunk.chunk)
        yield


def _trace_of(job_id: UUID) -> str | None:
    return traceparent_of(get_resources().database, job_id) if is_tracing() else None
