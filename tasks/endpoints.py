"""Canaries go on, or back, without anybody watching; safe to run twice at once."""

import logging
from functools import partial

from app.endpoints.canary import step_canaries as step_all
from app.endpoints.records import Notices
from app.models.pointers import announce
from app.models.warming import warm
from app.resources import get_resources
from workers.celery_app import celery_app

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.step_canaries")
def step_canaries() -> None:
    resources = get_resources()
    notices = Notices(
        announce=lambda: announce(resources.cache),
        warm=partial(warm, resources.publisher),
    )
    for said in step_all(resources.database, notices):
        logger.info(said)
