"""The gateway's side: one question out, its answer back, for any number of callers at once.

All callers of a process share one connection for questions and one for answers. Who cannot be
answered in time is told so at once (load shedding), while those who were accepted are still
answered.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from redis.exceptions import RedisError

from app.core.errors import Overloaded, Unavailable
from app.core.futures import settle
from workers.async_redis import AsyncLine
from workers.interactive import AnsweredError
from workers.serving.protocol import (
    ASKED_AGAIN,
    DEATHS,
    FIRST,
    QUESTIONS,
    Answer,
    Question,
    decode_answers,
)

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_LISTEN_SECONDS = 5.0
#: between two looks whether a serving process has died
_WATCH_SECONDS = 0.5
#: of the newest measurement in the moving average of seconds per input
_NEWEST = 0.1
#: the first process has so long to answer who asks alone before another may (seconds)
_PATIENCE_SECONDS = 0.005
#: where it was away or busy it is not preferred for that long
_APART_SECONDS = 1.0


class ServingClient:
    """Of one gateway process; for one event loop, between `start` and `close`."""

    def __init__(self, redis_url: str, *, max_inputs: int) -> None:
        self._name = f"serving:answers:{uuid4().hex}"
        self._numbers = count()
        self._max_inputs = max_inputs
        self._asking = AsyncLine(redis_url, timeout=5.0)
        self._hearing = AsyncLine(redis_url, timeout=_LISTEN_SECONDS + 10.0)
        self._waiting: dict[str, tuple[Question, asyncio.Future[Answer]]] = {}
        self._inputs = 0
        self._pace = _Pace()
        #: when the first process is preferred again (`time.monotonic`)
        self._first_from = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._asking.close()
        await self._hearing.close()

    async def ask(
        self,
        model_id: UUID,
        inputs: Sequence[dict[str, Any]],
        *,
        seconds: float,
        use_cache: bool = True,
    ) -> Answer:
        """An item for each input, within `seconds`. Raises Overloaded when that cannot be hoped
        for, Unavailable when nobody answered, and what the serving process raised (AnsweredError).
        """
        self._admit(len(inputs), seconds)
        question = Question(
            id=f"{self._name}:{next(self._numbers)}",
            reply_to=self._name,
            until=time.time() + seconds,
            model_id=model_id,
            inputs=inputs,
            use_cache=use_cache,
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[question.id] = question, future
        self._inputs += len(inputs)
        try:
            async with asyncio.timeout(seconds):
                await self._send(question, future)
                answer = await future
        except TimeoutError as error:
            raise Unavailable(
                f"no worker answered within {seconds:g} s",
                code="no_worker_answered",
                headers={"Retry-After": "5"},
            ) from error
        except RedisError as error:
            headers = {"Retry-After": "5"}
            raise Unavailable("the queue cannot be reached", headers=headers) from error
        finally:
            self._waiting.pop(question.id, None)
            self._inputs -= len(inputs)
        if answer.problem is not None:
            raise AnsweredError(answer.problem)
        return answer

    async def _send(self, question: Question, answered: asyncio.Future[Answer]) -> None:
        """Who asks alone is answered by the first process, where it does so in time."""
        alone = len(self._waiting) == 1 and time.monotonic() >= self._first_from
        if not alone or question.list_name != QUESTIONS:
            await self._asking.ask("RPUSH", question.list_name, question.encode())
            return
        await self._asking.ask("RPUSH", FIRST, question.encode())
        await asyncio.wait((answered,), timeout=_PATIENCE_SECONDS)
        if answered.done():
            return
        # nothing is there where it is being computed; what others have left there goes along
        while await self._asking.ask("LMOVE", FIRST, QUESTIONS, "LEFT", "RIGHT") is not None:
            self._first_from = time.monotonic() + _APART_SECONDS

    def _admit(self, n: int, seconds: float) -> None:
        """Raises Overloaded."""
        expected = self._pace.seconds_for(self._inputs)
        if self._inputs + n > self._max_inputs or expected > seconds:
            wait = max(1, round(expected))
            raise Overloaded(
                f"{self._inputs} inputs are waiting here already",
                headers={"Retry-After": str(wait)},
            )

    async def _listen(self) -> None:
        while True:
            try:
                found = await self._hearing.ask("BLPOP", self._name, _LISTEN_SECONDS)
            except (RedisError, OSError) as error:
                logger.warning("answers cannot be fetched: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if found is not None:
                self._hear(decode_answers(found[1]))

    async def _watch(self) -> None:
        """Ask again what a process that has died may have been given and never read."""
        known: bytes | None = None
        while True:
            try:
                deaths = await self._asking.ask("GET", DEATHS)
                if deaths != known:
                    await self._ask_again()
                    known = deaths
            except (RedisError, OSError) as error:
                logger.warning("whether serving processes have died cannot be told: %s", error)
            await asyncio.sleep(_WATCH_SECONDS)

    async def _ask_again(self) -> None:
        """All but what was asked again already for who died. Who lives may answer twice."""
        questions = [question for question, _ in self._waiting.values()]
        if not questions:
            return
        asked = await self._asking.ask("SMISMEMBER", ASKED_AGAIN, *(q.id for q in questions))
        for question, again in zip(questions, asked, strict=True):
            if not again and question.id in self._waiting:
                await self._asking.ask("RPUSH", question.list_name, question.encode())

    def _hear(self, answers: Sequence[Answer]) -> None:
        self._pace.observe(answers)
        for answer in answers:
            if waiting := self._waiting.get(answer.id):
                settle(waiting[1], answer)


class _Pace:
    """Seconds that an input takes, as the serving processes say."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def observe(self, answers: Sequence[Answer]) -> None:
        """Answers of one micro-batch."""
        inputs = sum(len(answer.items) for answer in answers)
        if inputs:
            each = answers[0].milliseconds / 1000 / inputs
            self._seconds += _NEWEST * (each - self._seconds)

    def seconds_for(self, inputs: int) -> float:
        return inputs * self._seconds
