"""Schedules: what is due is fired, what has ended is settled; safe to run twice at once."""

import logging

from app.resources import get_resources
from app.schedules.firing import begin_waiting, fire_due
from app.schedules.settling import settle_runs
from workers.celery_app import celery_app
from workers.dispatch import send_job

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.run_schedules")
def run_schedules() -> None:
    """Each part is whole for itself: what one leaves undone the next round does."""
    resources = get_resources()
    jobs = fire_due(resources)
    settle_runs(resources)
    jobs += begin_waiting(resources)
    for job in jobs:
        # one that does not arrive is sent again by the sweep: the row is the outbox
        send_job(celery_app, job)
