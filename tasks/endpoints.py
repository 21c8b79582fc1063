"""Canaries go on, or back, without anybody watching; safe to run twice at once."""

import logging

from app.endpoints.canary import step_canaries as step_all
from app.endpoints.records import Notices
from app.resources import get_resources
from workers.celery_app import celery_app

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.step_canaries")
def step_canaries() -> None:
    resources = get_resources()
    for said in step_all(resources.database, Notices.of(resources)):
        logger.info(said)
