# made of _async/mapping.py by client/generate_sync.py: change that one
"""Predictions of any number of inputs: chunks in flight at the same time, answers in order."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from retort._sync.io import in_order
from retort.errors import InvalidRequest
from retort.inputs import as_inputs
from retort.learning import about_single_inputs, chunks_of, refused
from retort.predictions import Prediction, Predictions
from retort.records import Json, ref_of

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Map:
    """Answers one by one, in the inputs' order, as they arrive; `results()` gathers the rest."""

    def __init__(
        self,
        client: "Retort",
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

    def __iter__(self) -> Iterator[Prediction]:
        return self._answers

    def __next__(self) -> Prediction:
        return self._answers.__next__()

    def results(self) -> Predictions:
        return Predictions([answer for answer in self])

    def _stream(self, concurrency: int) -> Generator[Prediction, None]:
        for answers in in_order(self._ask, self._chunks, concurrency):
            for answer in answers:
                self.done += 1
                yield Prediction(answer)

    def _ask(self, inputs: list[Any]) -> list[Json]:
        """Answers to one chunk. Inputs that make the server refuse the whole are found by halving;
        they alone get no number. Raises what is not about single inputs.
        """
        try:
            return self._post(inputs)
        except InvalidRequest as error:
            if not about_single_inputs(error, inputs):
                raise
            return self._halved(inputs, error)

    def _halved(self, inputs: list[Any], error: InvalidRequest) -> list[Json]:
        if len(inputs) == 1:
            return refused(inputs, error.detail)
        found: list[Json] = []
        middle = len(inputs) // 2
        for half in (inputs[:middle], inputs[middle:]):
            try:
                found += self._post(half)
            except InvalidRequest as wrong:
                found += self._halved(half, wrong)
        return found

    def _post(self, inputs: list[Any]) -> list[Json]:
        body = {**self._asked, "inputs": inputs}
        found = self._client.transport.json("POST", "/predictions", json=body)
        answers: list[Json] = found["predictions"]
        return answers
