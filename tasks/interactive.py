"""predict_now: a few molecules, answered through Redis by a process that keeps models warm."""

from typing import Any

from app.prediction.interactive import answer
from app.resources import get_resources
from workers.celery_app import celery_app
from workers.interactive import reply


@celery_app.task(name="retort.predict_now", acks_late=False, time_limit=60)
def predict_now(request: dict[str, Any]) -> None:
    resources = get_resources()
    reply(resources, request, lambda: answer(resources, request["payload"]))
