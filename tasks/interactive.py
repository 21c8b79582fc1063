"""What is answered at once, through Redis, by a process that keeps models and libraries warm."""

from collections.abc import Callable
from typing import Any

from app.core.errors import Unavailable
from app.history.structures import standardized
from app.ingestion.diff import diff
from app.ingestion.preview import preview
from app.prediction.checking import check_model
from app.prediction.comparing import compare_given, compare_stored
from app.prediction.interactive import answer
from app.registry.questions import check_move
from app.reporting.service import report_now
from app.resources import Resources, get_resources
from workers.celery_app import celery_app
from workers.interactive import reply

#: what `retort.answer` is asked, beside predictions
QUESTIONS: dict[str, Callable[[Resources, dict[str, Any]], dict[str, Any]]] = {
    "preview": preview,
    "check_model": check_model,
    "dataset_diff": diff,
    "model_report": report_now,
    "compare_items": compare_given,
    "compare_stored": compare_stored,
    "standardize": standardized,
    "registry_move": check_move,
}


@celery_app.task(name="retort.predict_now", acks_late=False, time_limit=60)
def predict_now(request: dict[str, Any]) -> None:
    """Predictions, in the form that the release before sends too."""
    resources = get_resources()
    reply(resources, request, lambda: answer(resources, request["payload"]))


@celery_app.task(name="retort.answer", acks_late=False, time_limit=60)
def answer_question(request: dict[str, Any]) -> None:
    """`payload`: {"question": name, ...}, see QUESTIONS."""
    resources = get_resources()
    reply(resources, request, lambda: _find(request["payload"])(resources, request["payload"]))


def _find(payload: dict[str, Any]) -> Callable[[Resources, dict[str, Any]], dict[str, Any]]:
    """Raises Unavailable for a question of a newer gateway: a newer worker will know it."""
    known = QUESTIONS.get(payload["question"])
    if known is None:
        raise Unavailable("this worker does not know the question yet; it is being upgraded")
    return known
