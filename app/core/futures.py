"""Answers to coroutines that wait."""

import asyncio
from typing import TypeVar

AnswerT = TypeVar("AnswerT")


def settle(future: "asyncio.Future[AnswerT]", answer: AnswerT | Exception) -> None:
    """Give it to who waits, if anybody still does; an error is raised there."""
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
