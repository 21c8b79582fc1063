"""The process that does the work: `python -m workers.take_one.child QUEUE SECONDS`.

It runs the very tasks that Celery would, so claim, fence, heartbeat, cancel and drain are the same.
"""

import logging
import os
import sys
import time
from uuid import UUID

from threadpoolctl import threadpool_limits

from app.jobs.in_line import InLine, in_line, standing, was_claimed_by
from app.jobs.outages import is_outage
from app.jobs.states import JobState
from app.resources import Resources, get_resources
from workers import draining
from workers.celery_app import celery_app
from workers.child_keeper import WORKER_VARIABLE
from workers.logs import configure_logging
from workers.take_one.codes import Code

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


def main() -> int:
    queue, seconds = sys.argv[1], float(sys.argv[2])
    resources = get_resources()
    configure_logging(resources.settings, role="take-one-child")
    celery_app.loader.import_default_modules()
    try:
        with threadpool_limits(resources.settings.worker_threads):
            return take_one(resources, queue, wait_seconds=seconds)
    except Exception as error:  # 1, Python's own code for it, says that the job failed
        logger.exception("no job was done to its end")
        return Code.UNAVAILABLE if is_outage(error) else Code.AGAIN


def take_one(resources: Resources, queue: str, *, wait_seconds: float) -> Code:
    """Claim a job of `queue` within `wait_seconds`, do it to its end, and say how that was."""
    until = time.monotonic() + wait_seconds
    while not _told_to_end():
        for found in in_line(resources.database, queue):
            if _take(resources, found):
                return _how_it_went(resources, found)
        if time.monotonic() >= until:
            logger.info("there is nothing to do in %s", queue)
            break
        time.sleep(_LOOK_SECONDS)
    return Code.WELL


def _take(resources: Resources, found: InLine) -> bool:
    """False when another worker was faster."""
    worker = os.environ[WORKER_VARIABLE]
    if not found.divided:
        _run(found.kind, found.id)
        if not was_claimed_by(resources.database, found.id, worker):
            return False
    _help(resources, found)
    return True


def _help(resources: Resources, found: InLine) -> None:
    """Do chunks of a divided job, beside whoever else does, and its last step. A job that we have
    not divided ourselves is left once nothing of it waits.
    """
    while not _told_to_end():
        now = standing(resources.database, found.id)
        if now is None or not now.divided or now.state is not JobState.RUNNING or now.owned:
            return
        if now.ready:
            _run(f"{found.kind}_chunk", found.id, now.ready[0])
        elif not now.open:
            _run(f"{found.kind}_finalize", found.id)
            return
        elif found.divided:
            return
        else:
            time.sleep(_LOOK_SECONDS)


def _run(task: str, job_id: UUID, *rest: int) -> None:
    celery_app.tasks[f"retort.{task}"](str(job_id), *rest)


def _how_it_went(resources: Resources, found: InLine) -> Code:
    now = standing(resources.database, found.id)
    if now is None or now.state in (JobState.SUCCEEDED, JobState.CANCELLED):
        return Code.WELL
    if now.state is JobState.FAILED:
        return Code.FAILED
    if _told_to_end():
        return Code.TOLD_TO_END
    # we have helped; the rest is in others' hands
    return Code.WELL if found.divided else Code.AGAIN


def _told_to_end() -> bool:
    return draining.seconds_since_begin() >= 0


if __name__ == "__main__":
    sys.exit(main())
