"""What keeps the cluster true: sweep, tracking, clean-up. All are safe to run twice at once.

Messages that have piled up while no control worker ran are collapsed into one run, by this
process's own monotonic clock: comparing the wall clocks of beat and worker (Celery's `expires`)
would stop the sweeper when one of them is wrong.
"""

import logging
import time

from app.access.chain import seal_all
from app.access.expiring import tell_expiring
from app.access.verification import anchor_all
from app.core.errors import RetortError
from app.endpoints.metering import forget
from app.events.reading import remove_old as remove_old_events
from app.files.clean_up import clean_up_uploads
from app.history.clean_up import remove_old
from app.history.sink import drain
from app.integrity.blobs import remove_unseen
from app.jobs.clean_up import clean_up as clean_up_rows
from app.prediction.prepared import clean_up_prepared
from app.registry.mirror import mirror_changes
from app.resources import get_resources
from app.schedules.settling import forget_old_runs
from app.training.track import pending_models, track_model
from workers.celery_app import (
    ANCHOR_SECONDS,
    CLEAN_UP_SECONDS,
    KEY_SECONDS,
    SEAL_SECONDS,
    STORE_SECONDS,
    TRACK_SECONDS,
    celery_app,
)
from workers.rounds import is_due as _due
from workers.sweeping import sweep_and_send, tell_of_sweep

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.sweep")
def sweep() -> None:
    resources = get_resources()
    if not _due("sweep", resources.settings.sweep_seconds):
        return
    started = time.monotonic()
    found = sweep_and_send(resources, celery_app)
    tell_of_sweep(resources, time.monotonic() - started, found)
    if found.found:
        logger.info("sweep: %s", ", ".join(f"{k} {v}" for k, v in found.found.items()))


@celery_app.task(name="retort.track_models")
def track_models() -> None:
    """Model versions that MLflow does not know yet, then names whose aliases, labels or versions
    changed; an outage is tried again next time.
    """
    if not _due("track_models", TRACK_SECONDS):
        return
    resources = get_resources()
    for model_id in pending_models(resources, limit=20):
        try:
            track_model(resources, model_id)
        except RetortError as error:
            logger.warning("model %s was not tracked: %s", model_id, error)
            return
    try:
        mirror_changes(resources)
    except RetortError as error:
        logger.warning("names of models were not mirrored: %s", error)


@celery_app.task(name="retort.store_predictions")
def store_predictions() -> None:
    """What gateways have answered and are to remember; an outage loses nothing."""
    if not _due("store_predictions", STORE_SECONDS):
        return
    drain(get_resources())


@celery_app.task(name="retort.seal_audit")
def seal_audit() -> None:
    """The hash chain of the audit log."""
    if _due("seal_audit", SEAL_SECONDS):
        seal_all(get_resources().database)


@celery_app.task(name="retort.anchor_audit")
def anchor_audit() -> None:
    """Once a day its newest hash goes to the blob store; asked more often, so that a day on which
    nothing ran at midnight has one too.
    """
    if not _due("anchor_audit", ANCHOR_SECONDS):
        return
    resources = get_resources()
    written = anchor_all(resources.database, resources.storage)
    if written:
        logger.info("audit: %d anchors written", written)


@celery_app.task(name="retort.tell_expiring_keys")
def tell_expiring_keys() -> None:
    """A week before a key ends its project is told, once."""
    if not _due("tell_expiring_keys", KEY_SECONDS):
        return
    told = tell_expiring(get_resources().database)
    if told:
        logger.info("%d keys expire soon", told)


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
    removed["endpoint_minutes"] = forget(resources.database)
    removed["predictions"] = remove_old(resources.database, days=resources.settings.prediction_days)
    removed["events"] = remove_old_events(resources.database, days=resources.settings.event_days)
    removed["schedule_runs"] = forget_old_runs(resources.database)
    removed["prepared_blobs"] = clean_up_prepared(
        resources.storage,
        most_bytes=resources.settings.prepared_bytes,
        days=resources.settings.prepared_days,
    )
    removed["unseen_blobs"] = remove_unseen(resources.database, resources.storage)
    logger.info("clean-up: %s", removed)
