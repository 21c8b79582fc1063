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
from app.resources import get_resources
from app.training.track import pending_models, track_model
from workers.celery_app import CLEAN_UP_SECONDS, TRACK_SECONDS, celery_app
from workers.sweeping import sweep_and_send

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
    found = sweep_and_send(resources, celery_app)
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
    removed = clean_up_rows(
        resources.database,
        resources.storage,
        log_days=resources.settings.log_days,
        retry_days=resources.settings.retry_days,
    )
    removed |= clean_up_uploads(resources.database, resources.storage)
    removed["unseen_blobs"] = remove_unseen(resources.database, resources.storage)
    logger.info("clean-up: %s", removed)
