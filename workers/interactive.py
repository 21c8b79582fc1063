"""Request and reply through the queue: the gateway asks, a warm worker answers (design 6).

The answer goes through a Redis list of its own that expires, so that a caller who went away leaves
nothing behind and a late worker hurts nobody. A request that is not begun in time is dropped.
"""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson

from app.core.errors import Problem, RetortError, Unavailable
from app.jobs.finish import problem_of
from app.resources import Resources
from workers.queues import PREDICT_NOW

_REPLY_TTL_SECONDS = 60


class AnsweredError(RetortError):
    """A worker's problem, raised again where it was asked."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem["detail"], remedy=problem["remedy"], errors=problem["errors"])
        self._problem = problem

    def problem(self) -> Problem:
        return self._problem


def ask(resources: Resources, payload: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The worker's answer. Raises Unavailable when none came within `timeout` seconds, and what
    the worker raised (AnsweredError).
    """
    from workers.celery_app import celery_app

    key = f"reply:{uuid4().hex}"
    try:
        celery_app.send_task(
            "retort.predict_now",
            args=({"reply_to": key, "until": time.time() + timeout, "payload": payload},),
            queue=PREDICT_NOW,
            ignore_result=True,
            expires=timeout,
            retry=False,
        )
        answer = resources.redis.blpop([key], timeout=timeout)
    except Exception as error:
        raise Unavailable(
            "the prediction queue cannot be reached", headers={"Retry-After": "5"}
        ) from error
    if answer is None:
        raise Unavailable(
            f"no prediction worker answered within {timeout:g} s", headers={"Retry-After": "5"}
        )
    message = orjson.loads(answer[1])
    if "problem" in message:
        raise AnsweredError(message["problem"])
    result: dict[str, Any] = message["answer"]
    return result


def reply(
    resources: Resources, request: dict[str, Any], work: Callable[[], dict[str, Any]]
) -> None:
    """Run `work` and send its answer, or its problem, to who asked."""
    if time.time() > request["until"]:
        return
    try:
        message: dict[str, Any] = {"answer": work()}
    except Exception as error:  # noqa: BLE001 - told to the caller, whatever it is
        message = {"problem": problem_of(error)}
    key = request["reply_to"]
    with resources.redis.pipeline() as pipe:
        pipe.rpush(key, orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY))
        pipe.expire(key, _REPLY_TTL_SECONDS)
        pipe.execute()
