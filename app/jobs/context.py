"""The engine's side of running work: progress out, requests to stop in, by a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from app.core.errors import DeadlineExceeded, JobCancelled, LeaseLost, RetortError
from app.db.database import Database
from app.jobs.chunks import any_open_before, beat_chunk
from app.jobs.claim import Pulse, append_event, beat
from app.jobs.model import Chunk, Job
from app.jobs.outages import is_outage

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
#: how often a chunk that waits for others looks, and how long its process has nothing else to do
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 5.0


class Drained(RetortError):
    """The worker is shutting down: the job goes back to its queue, no attempt is spent."""

    code = "drained"


class TooEarly(Drained):
    """It goes back likewise: chunks that this one needs have not ended."""


class HeartbeatThread:
    """Calls `pulse` whenever there is something to tell, and at least every `interval` seconds.

    An outage of Postgres only makes it try again: the lease decides whether the job is still ours.
    """

    def __init__(
        self,
        pulse: Callable[[], Pulse],
        *,
        interval: float,
        draining: Callable[[], bool],
    ) -> None:
        self._pulse = pulse
        self._interval = interval
        self._draining = draining
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        #: set when there is news to write before the interval is over
        self.news = False
        #: why the work should stop, if it should
        self.reason: RetortError | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(_TICK_SECONDS):
            if self._draining() and self.reason is None:
                self.reason = Drained("the worker is shutting down")
            if not self.news and time.monotonic() - last < self._interval:
                continue
            last, self.news = time.monotonic(), False
            self._beat()

    def _beat(self) -> None:
        try:
            pulse = self._pulse()
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("heartbeat failed, will try again: %s", error)
            return
        self.reason = reason_to_stop(pulse) or self.reason


def reason_to_stop(pulse: Pulse) -> RetortError | None:
    if not pulse.owned:
        return LeaseLost("the lease of this work was lost")
    if pulse.cancel_requested:
        return JobCancelled("cancelled on request")
    if pulse.deadline_passed:
        return DeadlineExceeded("the deadline passed while the job was running")
    return None


class _Context:
    """What job and chunk contexts share; used as a context manager around the work."""

    def __init__(self, db: Database, *, interval: float, draining: Callable[[], bool]) -> None:
        self._db = db
        self._heart = HeartbeatThread(self._pulse, interval=interval, draining=draining)
        self._stage = ""

    def _enter_stage(self, stage: str, message: str) -> None:
        """Told once in the log, for whoever reads it later."""
        if stage and stage != self._stage:
            logger.info("stage %s%s", stage, message and f": {message}")
            self._stage = stage

    def _pulse(self) -> Pulse:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._heart.stop()

    def raise_if_cancelled(self) -> None:
        if self._heart.reason is not None:
            raise self._heart.reason


class JobContext(_Context):
    """Of a job's own run (a simple kind, a plan, a finalize)."""

    def __init__(
        self,
        db: Database,
        job: Job,
        *,
        lease_seconds: float,
        interval: float,
        draining: Callable[[], bool],
        plan_attempt: int | None = None,
    ) -> None:
        super().__init__(db, interval=interval, draining=draining)
        self.job = job
        self.plan_attempt = plan_attempt or job.attempt
        self._lease = lease_seconds
        self._progress: dict[str, Any] | None = None
        self._warnings = list(job.warnings)

    @property
    def job_id(self) -> UUID:
        return self.job.id

    @property
    def project_id(self) -> UUID:
        return self.job.project_id

    @property
    def attempt(self) -> int:
        return self.job.attempt

    def progress(
        self,
        done: float,
        total: float,
        *,
        unit: str = "row",
        stage: str = "",
        message: str = "",
        **extra: Any,
    ) -> None:
        self._enter_stage(stage, message)
        self._progress = {
            "done": done,
            "total": total,
            "unit": unit,
            "percent": round(100.0 * done / total, 1) if total else 0.0,
            "stage": stage,
            "message": message,
            **extra,
        }
        self._heart.news = True

    def warn(self, code: str, detail: str) -> None:
        logger.warning("%s: %s", code, detail)
        self._warnings.append({"code": code, "detail": detail})
        self._heart.news = True

    def event(self, type_: str, data: dict[str, Any]) -> None:
        try:
            append_event(self._db, self.job.id, type_, data)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("event %s of job %s was not written: %s", type_, self.job.id, error)

    def flush(self) -> None:
        """Write what was told last; called before the job ends, so that warnings are kept."""
        try:
            self._pulse()
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("the last words of job %s were not written: %s", self.job.id, error)

    def _pulse(self) -> Pulse:
        return beat(
            self._db,
            self.job.id,
            _token(self.job.claim_token),
            lease_seconds=self._lease,
            progress=self._progress,
            warnings=self._warnings,
        )


class ChunkContext(_Context):
    """Of one chunk; progress is counted by ended chunks, so a chunk's own is not written."""

    def __init__(
        self,
        db: Database,
        chunk: Chunk,
        *,
        lease_seconds: float,
        interval: float,
        draining: Callable[[], bool],
    ) -> None:
        super().__init__(db, interval=interval, draining=draining)
        self.chunk = chunk
        self._lease = lease_seconds

    @property
    def job_id(self) -> UUID:
        return self.chunk.job_id

    @property
    def project_id(self) -> UUID:
        return self.chunk.project_id

    @property
    def attempt(self) -> int:
        return self.chunk.job_attempt

    @property
    def plan_attempt(self) -> int:
        return self.chunk.planned_in

    def progress(
        self,
        done: float,
        total: float,
        *,
        unit: str = "row",
        stage: str = "",
        message: str = "",
        **extra: Any,
    ) -> None:
        """Not written but to the log: the job's progress counts ended chunks."""
        del done, total, unit, extra
        self._enter_stage(stage, message)

    def warn(self, code: str, detail: str) -> None:
        logger.warning("%s: %s", code, detail)
        self.event("message", {"level": "warning", "code": code, "detail": detail})

    def event(self, type_: str, data: dict[str, Any]) -> None:
        append_event(self._db, self.chunk.job_id, type_, {**data, "chunk": self.chunk.chunk})

    def wait_until_ended(self, before: int) -> None:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while any_open_before(self._db, self.chunk.job_id, before):
            self.raise_if_cancelled()
            if time.monotonic() > give_up:
                raise TooEarly(f"chunks of rows before {before} have not ended")
            time.sleep(_LOOK_SECONDS)

    def _pulse(self) -> Pulse:
        return beat_chunk(self._db, self.chunk, lease_seconds=self._lease)


def _token(token: UUID | None) -> UUID:
    if token is None:
        raise LeaseLost("the job is not claimed")
    return token
