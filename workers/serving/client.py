"""The gateway's side: one question out, its answer back, for any number of callers at once.

All callers of a process share one connection for questions and one for answers; what has gathered
while a command was under way goes out with the next. Who cannot be answered in time is told so at
once (load shedding), while those who were accepted are still answered.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from redis.exceptions import RedisError

from app.core.errors import Overloaded, Unavailable
from workers.async_redis import close, connect
from workers.interactive import AnsweredError
from workers.serving.protocol import Answer, Question, decode_answers

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_LISTEN_SECONDS = 5.0
#: of the newest measurement in the moving average of seconds per input
_NEWEST = 0.1


class ServingClient:
    """Of one gateway process; for one event loop, between `start` and `close`."""

    def __init__(self, redis_url: str, *, max_inputs: int) -> None:
        self._url = redis_url
        self._name = f"serving:answers:{uuid4().hex}"
        self._max_inputs = max_inputs
        self._outbox: list[Question] = []
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._inputs = 0
        self._pace = _Pace()
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._asking = connect(self._url, timeout=5.0)
        self._hearing = connect(self._url, timeout=_LISTEN_SECONDS + 10.0)
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await close(self._asking, self._hearing)

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
            id=uuid4().hex,
            reply_to=self._name,
            until=time.time() + seconds,
            model_id=model_id,
            inputs=inputs,
            use_cache=use_cache,
        )
        future = asyncio.get_running_loop().create_future()
        self._waiting[question.id] = future
        self._inputs += len(inputs)
        self._post(question)
        try:
            answer: Answer = await asyncio.wait_for(future, seconds)
        except TimeoutError as error:
            raise Unavailable(
                f"no worker answered within {seconds:g} s",
                code="no_worker_answered",
                headers={"Retry-After": "5"},
            ) from error
        finally:
            self._waiting.pop(question.id, None)
            self._inputs -= len(inputs)
        if answer.problem is not None:
            raise AnsweredError(answer.problem)
        return answer

    def _admit(self, n: int, seconds: float) -> None:
        """Raises Overloaded."""
        expected = self._pace.seconds_for(self._inputs)
        if self._inputs + n > self._max_inputs or expected > seconds:
            wait = max(1, round(expected))
            raise Overloaded(
                f"{self._inputs} inputs are waiting here already",
                headers={"Retry-After": str(wait)},
            )

    def _post(self, question: Question) -> None:
        self._outbox.append(question)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._outbox:
                questions, self._outbox = self._outbox, []
                await self._push(questions)
        finally:
            self._sending = None

    async def _push(self, questions: Sequence[Question]) -> None:
        by_list: dict[str, list[bytes]] = {}
        for question in questions:
            by_list.setdefault(question.list_name, []).append(question.encode())
        try:
            for name, raw in by_list.items():
                await self._asking.rpush(name, *raw)
        except RedisError as error:
            for question in questions:
                self._fail(question.id, error)

    def _fail(self, question_id: str, error: Exception) -> None:
        future = self._waiting.get(question_id)
        if future is not None and not future.done():
            unavailable = Unavailable("the queue cannot be reached", headers={"Retry-After": "5"})
            unavailable.__cause__ = error
            future.set_exception(unavailable)

    async def _listen(self) -> None:
        while True:
            try:
                found = await self._hearing.blpop([self._name], timeout=_LISTEN_SECONDS)
            except (RedisError, OSError) as error:
                logger.warning("answers cannot be fetched: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if found is not None:
                self._hear(decode_answers(found[1]))

    def _hear(self, answers: Sequence[Answer]) -> None:
        self._pace.observe(answers)
        for answer in answers:
            future = self._waiting.get(answer.id)
            if future is not None and not future.done():
                future.set_result(answer)


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
