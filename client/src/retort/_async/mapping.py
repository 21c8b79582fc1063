"""Predictions of any number of inputs: chunks in flight at the same time, answers in order."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from retort._async.io import in_order
from retort.errors import InvalidRequest
from retort.inputs import as_inputs
from retort.learning import about_single_inputs, chunks_of, refused
from retort.predictions import Prediction, Predictions
from retort.records import Json, ref_of

if TYPE_CHECKING:
    from retort._async.client import AsyncRetort


class AsyncMap:
    """Answers one by one, in the inputs' order, as they arrive; `results()` gathers the rest."""

    def __init__(
        self,
        client: "AsyncRetort",
        model: Any,
        inputs: Any,
        chunk: int,
        concurrency: int,
        *,
        remember: bool = False,
    ) -> None:
        self._client = client
        self._asked = {"model": ref_of(model)} | ({"remember": True} if remember else {})
        self._chunks = chunks_of(as_inputs(inputs), chunk)
        self._answers = self._stream(concurrency)
        #: answers given so far
        self.done = 0

    def __aiter__(self) -> AsyncIterator[Prediction]:
        return self._answers

    async def __anext__(self) -> Prediction:
        return await self._answers.__anext__()

    async def results(self) -> Predictions:
        return Predictions([answer async for answer in self])

    async def _stream(self, concurrency: int) -> AsyncGenerator[Prediction, None]:
        async for answers in in_order(self._ask, self._chunks, concurrency):
            for answer in answers:
                self.done += 1
                yield Prediction(answer)

    async def _ask(self, inputs: list[Any]) -> list[Json]:
        """Answers to one chunk. Inputs that make the server refuse the whole are found by halving;
        they alone get no number. Raises what is not about single inputs.
        """
        try:
            return await self._post(inputs)
        except InvalidRequest as error:
            if not about_single_inputs(error, inputs):
                raise
            return await self._halved(inputs, error)

    async def _halved(self, inputs: list[Any], error: InvalidRequest) -> list[Json]:
        if len(inputs) == 1:
            return refused(inputs, error.detail)
        found: list[Json] = []
        middle = len(inputs) // 2
        for half in (inputs[:middle], inputs[middle:]):
            try:
                found += await self._post(half)
            except InvalidRequest as wrong:
                found += await self._halved(half, wrong)
        return found

    async def _post(self, inputs: list[Any]) -> list[Json]:
        body = {**self._asked, "inputs": inputs}
        found = await self._client.transport.json("POST", "/predictions", json=body)
        answers: list[Json] = found["predictions"]
        return answers
