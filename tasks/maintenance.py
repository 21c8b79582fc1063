"""What keeps the cluster true: sweep, tracking, clean-up. All are safe to run twice at once.

Messages that have piled up while no control worker ran are collapsed into one run, by this
process's own monotonic clock: comparing the wall clocks of beat and worker (Celery's `expires`)
would stop the sweeper when one of them is wrong.
"""

import logging
import time

from app.core.errors import RetortError
from app.files.clean_up import clean_up_uploads
from app.integrity.blobs import remove_unseen
from app.jobs.clean_up import clean_up as clean_up_rows
from app.jobs.sweeper import sweep as sweep_once
from app.kinds.deferred import fill_ready
from app.resources import get_resources
from app.training.track import pending_models, track_model
from workers.broker import empty_queues, has_forgotten
from workers.celery_app import CLEAN_UP_SECONDS, TRACK_SECONDS, celery_app
from workers.dispatch import send_chunk, send_finalize, send_job

logger = logging.getLogger(__name__)

_ran_at: dict[str, float] = {}


def _due(name: str, every: float) -> bool:
    """False when `name` ran less than half of `every` seconds ago in this process."""
    now = time.monotonic()
    if now - _ran_at.get(name, float("-inf")) < every / 2:
        return False
    _ran_at[name] = now
    return True


@celery_app.task(name="retort.sweep")
def sweep() -> None:
    resources = get_resources()
    if not _due("sweep", resources.settings.sweep_seconds):
        return
    found = sweep_once(
        resources.database,
        resources.settings,
        empty_queues=empty_queues(celery_app),
        broker_forgot=has_forgotten(celery_app),
    )
    for job in [*found.jobs, *fill_ready(resources)]:
        send_job(celery_app, job)
    for chunk in found.chunks:
        send_chunk(celery_app, chunk)
    for job in found.finalize:
        send_finalize(celery_app, job)
    if found.found:
        logger.info("sweep: %s", ", ".join(f"{k} {v}" for k, v in found.found.items()))


@celery_app.task(name="retort.track_models")
def track_models() -> None:
    """Model versions that MLflow does not know yet; an outage is tried again next time."""
    if not _due("track_models", TRACK_SECONDS):
        return
    resources = get_resources()
    for model_id in pending_models(resources, limit=20):
        try:
            track_model(resources, model_id)
        except RetortError as error:
            logger.warning("model %s was not tracked: %s", model_id, error)
            return


@celery_app.task(name="retort.clean_up")
def clean_up() -> None:
    if not _due("clean_up", CLEAN_UP_SECONDS):
        return
    resources = get_resources()
    removed = clean_up_rows(resources.database, resources.storage)
    removed |= clean_up_uploads(resources.database, resources.storage)
    removed["unseen_blobs"] = remove_unseen(resources.database, resources.storage)
    logger.info("clean-up: %s", removed)
