"""One sweep, with what the broker says, and the messages that it finds missing sent again."""

import logging

from celery import Celery

from app.jobs.outages import is_outage
from app.jobs.sweeper import Sweep, sweep
from app.kinds.deferred import fill_ready
from app.monitoring.worker_reports import count_sweep
from app.resources import Resources
from workers.broker import look
from workers.dispatch import send_chunk, send_finalize, send_job

logger = logging.getLogger(__name__)


def sweep_and_send(resources: Resources, celery: Celery) -> Sweep:
    """What was found; safe in any number of processes at once."""
    seen = look(celery)
    found = sweep(
        resources.database,
        resources.settings,
        empty_queues=seen.empty_queues,
        broker_forgot=seen.has_forgotten,
    )
    for job in [*found.jobs, *fill_ready(resources)]:
        send_job(celery, job)
    for chunk in found.chunks:
        send_chunk(celery, chunk)
    for job in found.finalize:
        send_finalize(celery, job)
    return found


def tell_of_sweep(resources: Resources, seconds: float, sweep: Sweep) -> None:
    """For /metrics; the sweep itself is done, whatever the cache says."""
    try:
        count_sweep(resources.cache, seconds, sweep.found)
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("the sweep was not counted: %s", error)
