"""A release's job engine, told what to do by lines of JSON: `{"do": "claim", "job": "..."}`.

Started by `OldEngine` with PYTHONPATH naming one frozen engine and nothing else of ours. Answers
each line with `{"ok": ...}` or `{"error": the exception's name, "detail": ...}`. Runs with every
frozen engine: what two releases call differently is decided here.
"""

import dataclasses
import inspect
import json
import os
import sys
from uuid import UUID

from sqlalchemy import select

import app.jobs
from app.core.errors import InvalidInput, JobCancelled, Retryable
from app.core.settings import Settings
from app.core.work import ChunkSpec, FanOut, Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.jobs import JobChunkRow, JobRow
from app.jobs import chunks as chunk_store
from app.jobs.claim import Owner, append_event, beat, claim_finalize, claim_job
from app.jobs.clean_up import clean_up
from app.jobs.control import request_cancel, retry_failed
from app.jobs.finish import end_badly, put_back, succeed
from app.jobs.store import (
    get_job,
    list_attempts,
    list_chunks,
    list_events,
    list_jobs,
    queue_figures,
)
from app.jobs.submit import IdempotencyKey, NewJob, submit_job
from app.jobs.sweeper import sweep
from app.jobs.worker_rows import keep_leases
from app.storage.memory import MemoryStorage

ENGINE = os.environ["PYTHONPATH"]
OWNER = Owner(worker="cpu@old#1", pid=os.getpid())
LEASE = 60.0
PROBLEM = InvalidInput("no such column", remedy="name another").problem()
ERRORS = {
    "outage": Retryable("later"),
    "mistake": InvalidInput("no such column"),
    "cancelled": JobCancelled("cancelled on request"),
}


class Driver:
    """One public method per word; what it has claimed is kept for the words that follow."""

    def __init__(self):
        self._db = None
        self._jobs = {}
        self._chunks = {}

    def connect(self, url):
        """Gives where this engine was imported from."""
        self._db = Database(url)
        self._jobs.clear()
        self._chunks.clear()
        return app.jobs.__file__

    def disconnect(self):
        self._db.dispose()

    # ---- jobs

    def submit(self, key=None, body="a", needs=(), **changes):
        values = {"kind": "train", "queue": "cpu", "params": {"n": 1}, "created_by": "old"}
        new = NewJob(
            **{**values, **changes},
            project_id=DEFAULT_PROJECT_ID,
            needs=[UUID(need) for need in needs],
        )
        idempotency = key and IdempotencyKey(scope="p:old:jobs", key=key, body_hash=body)
        return submit_job(self._db, new, idempotency=idempotency)

    def claim(self, job):
        return self._keep(job, claim_job(self._db, UUID(job), OWNER, lease_seconds=LEASE))

    def claim_finalize(self, job):
        return self._keep(job, claim_finalize(self._db, UUID(job), OWNER, lease_seconds=LEASE))

    def _keep(self, job, claimed):
        if claimed is not None:
            self._jobs[job] = claimed
        return claimed

    def beat(self, job, progress=None):
        token = self._jobs[job].claim_token
        return beat(self._db, UUID(job), token, lease_seconds=LEASE, progress=progress)

    def append_event(self, job, type_, data):
        append_event(self._db, UUID(job), type_, data)

    def succeed(self, job, result):
        return succeed(self._db, self._jobs[job], Outcome(result=result, counts={"rows_ok": 1}))

    def end_badly(self, job, error):
        return end_badly(self._db, self._jobs[job], ERRORS[error])

    def put_back(self, job):
        put_back(self._db, self._jobs[job])

    def cancel(self, job):
        return request_cancel(self._db, DEFAULT_PROJECT_ID, UUID(job), by="old")

    def retry_failed(self, job):
        return retry_failed(self._db, DEFAULT_PROJECT_ID, UUID(job), by="old")

    # ---- chunks

    def fan_out(self, job, ranges):
        specs = [ChunkSpec(source={"n": n}, start_row=a, stop_row=b) for n, (a, b) in ranges]
        more = ()
        if "limit" in inspect.signature(chunk_store.fan_out).parameters:
            more = (chunk_store.TimeLimit(base=300.0, per_row=60.0),)
        return chunk_store.fan_out(self._db, self._jobs[job], FanOut(chunks=specs), *more)

    def claim_chunk(self, job, chunk):
        claimed = chunk_store.claim_chunk(self._db, UUID(job), chunk, OWNER, lease_seconds=LEASE)
        if claimed is not None:
            self._chunks[job, chunk] = claimed
        return claimed

    def beat_chunk(self, job, chunk):
        return chunk_store.beat_chunk(self._db, self._chunks[job, chunk], lease_seconds=LEASE)

    def finish_chunk(self, job, chunk, result):
        chunk_store.finish_chunk(self._db, self._chunks[job, chunk], result)

    def fail_chunk(self, job, chunk):
        chunk_store.fail_chunk(self._db, self._chunks[job, chunk], PROBLEM)

    def cancel_chunk(self, job, chunk):
        chunk_store.cancel_chunk(self._db, self._chunks[job, chunk], PROBLEM)

    def retry_chunk(self, job, chunk, after):
        chunk_store.retry_chunk(
            self._db, self._chunks[job, chunk], after_seconds=after, problem=PROBLEM
        )

    def put_back_chunk(self, job, chunk):
        chunk_store.put_back_chunk(self._db, self._chunks[job, chunk])

    def chunk_results(self, job):
        return list(chunk_store.chunk_results(self._db, UUID(job)))

    # ---- upkeep

    def sweep(self, empty=()):
        return sweep(self._db, Settings(), empty_queues=frozenset(empty))

    def keep_leases(self, alive):
        return keep_leases(self._db, OWNER.worker, alive, lease_seconds=LEASE, grace_seconds=30.0)

    def clean_up(self):
        return clean_up(self._db, MemoryStorage())

    # ---- reading

    def get_job(self, job):
        return get_job(self._db, DEFAULT_PROJECT_ID, UUID(job))

    def list_jobs(self, **only):
        return list_jobs(self._db, DEFAULT_PROJECT_ID, **only)

    def list_events(self, job):
        return list_events(self._db, UUID(job))

    def list_attempts(self, job):
        return list_attempts(self._db, UUID(job))

    def list_chunks(self, job):
        return list_chunks(self._db, UUID(job))

    def queue_figures(self):
        return queue_figures(self._db)

    def rows(self, job):
        """The same by the ORM: the states of the job and of its chunks."""
        query = select(JobChunkRow).where(JobChunkRow.job_id == UUID(job))
        with self._db.session() as session:
            chunks = session.scalars(query.order_by(JobChunkRow.chunk)).all()
            return [session.get(JobRow, UUID(job)).state, *(chunk.state for chunk in chunks)]


def plain(value):
    """Dataclasses as objects; ids and times as text."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)


def main():
    if not app.jobs.__file__.startswith(f"{ENGINE}{os.sep}"):
        raise SystemExit(f"app.jobs was imported from {app.jobs.__file__}, not from {ENGINE}")
    driver = Driver()
    for line in sys.stdin:
        words = json.loads(line)
        try:
            answer = {"ok": getattr(driver, words.pop("do"))(**words)}
        except Exception as error:  # noqa: BLE001 - the test decides what was expected
            answer = {"error": type(error).__name__, "detail": str(error)}
        print(json.dumps(answer, default=plain), flush=True)


if __name__ == "__main__":
    main()
