"""Requests of one sort that arrive together are done together, by one thread.

There is no window to wait in: a request that comes alone is done at once, and what comes while it
is being done is the next batch. So a busy gateway pays for a transaction, its flush to the disk and
the change of threads once for many, and an idle one has the latency that it always had.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.core.futures import settle

logger = logging.getLogger(__name__)

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")

#: bounds one transaction, and with it how long a later one waits
MAX_BATCH = 64


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[AskedT, AnswerT]):
    asked: AskedT
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[AnswerT]"


class Gathering(Generic[AskedT, AnswerT]):
    """`work` gets what has gathered, in order of arrival, and gives for each its answer or the
    error that it ends with; what it raises is the error of all of them.
    """

    def __init__(
        self, work: Callable[[Sequence[AskedT]], Sequence[AnswerT | Exception]], *, name: str
    ) -> None:
        self._work = work
        self._waiting: queue.SimpleQueue[_Waiting[AskedT, AnswerT] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._closed = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """What has been asked is still done."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(timeout=10)

    async def ask(self, asked: AskedT) -> AnswerT:
        """Raises what the work says of this one. Who stops waiting does not undo it."""
        if self._closed:
            raise RuntimeError("asked after the end")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[AnswerT] = loop.create_future()
        self._waiting.put(_Waiting(asked, loop, answer))
        return await answer

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, stop = self._gather(first)
            answers = self._answers(batch)
            for loop in {one.loop for one in batch}:
                mine = [
                    (one.answer, answer)
                    for one, answer in zip(batch, answers, strict=True)
                    if one.loop is loop
                ]
                _tell_within(loop, mine)
            if stop:
                return

    def _gather(
        self, first: _Waiting[AskedT, AnswerT]
    ) -> tuple[list[_Waiting[AskedT, AnswerT]], bool]:
        """Everything that is there, at most MAX_BATCH; and whether it is the last."""
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
            if more is None:
                return batch, True
            batch.append(more)
        return batch, False

    def _answers(self, batch: Sequence[_Waiting[AskedT, AnswerT]]) -> Sequence[AnswerT | Exception]:
        try:
            return self._work([one.asked for one in batch])
        except Exception as error:  # noqa: BLE001 - it is theirs; the thread goes on
            return [error] * len(batch)


def _tell_within(
    loop: asyncio.AbstractEventLoop,
    told: "Sequence[tuple[asyncio.Future[AnswerT], AnswerT | Exception]]",
) -> None:
    try:
        loop.call_soon_threadsafe(_tell, told)
    except RuntimeError:  # the loop has ended, and with it who waited
        logger.info("%d answers came after their loop had ended", len(told))


def _tell(told: "Sequence[tuple[asyncio.Future[AnswerT], AnswerT | Exception]]") -> None:
    for future, answer in told:
        settle(future, answer)
