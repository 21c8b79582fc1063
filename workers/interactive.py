"""Request and reply through the queue: the gateway asks, a warm worker answers (design 6).

The answer goes through a Redis list of its own that expires, so that a caller who went away leaves
nothing behind and a late worker hurts nobody. A request that is not begun in time is dropped.

Two tasks carry requests. `retort.predict_now` keeps the form that the release before understands
(predictions). Everything else names its `question` and goes to `retort.answer`, which a worker of
that release does not know: it drops the message, and the caller is told to ask again (503).
"""

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson

from app.core.errors import Problem, RetortError, Unavailable
from app.jobs.finish import problem_of
from app.resources import Resources
from workers.queues import PREDICT_NOW

logger = logging.getLogger(__name__)

_REPLY_TTL_SECONDS = 60
_REMEDY = "Ask again after the seconds named in Retry-After; `GET /health/ready` shows what is up."


class AnsweredError(RetortError):
    """A worker's problem, raised again where it was asked."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem["detail"], remedy=problem["remedy"], errors=problem["errors"])
        self._problem = problem

    def problem(self) -> Problem:
        return self._problem


def ask(resources: Resources, payload: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The worker's answer. `payload`: of a prediction `model_id` and `inputs`, else `question` and
    what that takes. Raises Unavailable when none came within `timeout` seconds, and what the worker
    raised (AnsweredError).
    """
    from workers.celery_app import celery_app

    key = f"reply:{uuid4().hex}"
    # predictions have a remedy of their own: the class's
    remedy = _REMEDY if "question" in payload else None
    try:
        celery_app.send_task(
            "retort.answer" if "question" in payload else "retort.predict_now",
            args=({"reply_to": key, "until": time.time() + timeout, "payload": payload},),
            queue=PREDICT_NOW,
            ignore_result=True,
            expires=timeout,
            retry=False,
        )
        answer = resources.redis.blpop([key], timeout=timeout)
    except Exception as error:
        raise Unavailable(
            "the queue cannot be reached", remedy=remedy, headers={"Retry-After": "5"}
        ) from error
    if answer is None:
        raise Unavailable(
            f"no worker answered within {timeout:g} s",
            code="no_worker_answered",
            remedy=remedy,
            headers={"Retry-After": "5"},
        )
    message = orjson.loads(answer[1])
    if "problem" in message:
        told = AnsweredError(message["problem"])
        told.add_note(f"answered by a worker, whose log names it {key}")
        raise told
    result: dict[str, Any] = message["answer"]
    return result


def reply(
    resources: Resources, request: dict[str, Any], work: Callable[[], dict[str, Any]]
) -> None:
    """Run `work` and send its answer, or its problem, to who asked."""
    if time.time() > request["until"]:
        return
    key = request["reply_to"]
    try:
        message: dict[str, Any] = {"answer": work()}
    except Exception as error:
        message = {"problem": problem_of(error)}
        if not isinstance(error, RetortError):
            logger.exception("interactive request %s failed", key)
    with resources.redis.pipeline() as pipe:
        pipe.rpush(key, orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY))
        pipe.expire(key, _REPLY_TTL_SECONDS)
        pipe.execute()
