"""What gateways and serving processes say to each other, and in which Redis lists.

A question is one JSON object in QUESTIONS (few inputs), in FIRST (few, of a gateway that has asked
nothing else) or in LONG_QUESTIONS (many). Its answer is put into the list that it names: a line of
JSON about all answers of that batch, then a line for each answered input, as
`app.prediction.answer_cache.split` made it, which the gateway never parses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import orjson

from app.core.errors import Problem

#: a serving process takes from the first list first: a drawn structure is not to wait behind a
#: hundred
QUESTIONS = "serving:questions"
#: taken by the first process of each worker only: Redis wakes the one that has slept longest, so
#: that who asks alone would find each time the process whose code and model have left the
#: processor's caches. What it does not take in time its gateway moves to QUESTIONS
FIRST = "serving:questions:first"
LONG_QUESTIONS = "serving:questions:long"
#: how often a serving process has died or a worker has started, and which questions (ids) were
#: asked again for who died. Redis may have given a question to one that was dying and never read
#: it: only its gateway knows of it, which asks again when this number has changed
DEATHS = "serving:deaths"
ASKED_AGAIN = "serving:asked-again"
#: more inputs than that make a question a long one
FEW = 8
#: answers that nobody fetched are gone after that (seconds)
REPLY_TTL = 60


@dataclass(frozen=True, kw_only=True)
class Question:
    """Predict `inputs` with one model."""

    id: str
    #: the gateway's list
    reply_to: str
    #: when the caller stops waiting, in seconds since the epoch
    until: float
    model_id: UUID
    #: [{"smiles"?, "features"?}]
    inputs: Sequence[dict[str, Any]]
    #: whether answers that are known already may be used
    use_cache: bool = True
    #: how often a serving process has died with it
    deaths: int = 0
    #: places of inputs that have killed a process, with the reason
    poison: tuple[tuple[int, str], ...] = ()
    #: told to the parent only: the input that is being tried by itself
    at: int | None = None

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        values = orjson.loads(raw)
        values["model_id"] = UUID(values["model_id"])
        values["poison"] = tuple((int(at), str(why)) for at, why in values["poison"])
        return cls(**values)

    @property
    def list_name(self) -> str:
        return QUESTIONS if len(self.inputs) <= FEW else LONG_QUESTIONS


@dataclass(frozen=True, kw_only=True)
class Answer:
    """To the question `id`: an item for each of its inputs, or a problem."""

    id: str
    items: Sequence[bytes] = ()
    #: of each item whether it was known before
    cached: Sequence[bool] = ()
    #: from the beginning of the micro-batch to its end
    milliseconds: float = 0.0
    problem: Problem | None = None


def encode_answers(answers: Sequence[Answer]) -> bytes:
    """All of one micro-batch to one gateway."""
    about = [
        {
            "id": answer.id,
            "cached": list(answer.cached),
            "milliseconds": answer.milliseconds,
            "problem": answer.problem,
        }
        for answer in answers
    ]
    return b"\n".join([orjson.dumps(about), *(item for a in answers for item in a.items)])


def decode_answers(raw: bytes) -> list[Answer]:
    head, *lines = raw.split(b"\n")  # JSON by orjson has no line end inside
    answers, at = [], 0
    for about in orjson.loads(head):
        end = at + len(about["cached"])
        answers.append(Answer(**about, items=lines[at:end]))
        at = end
    return answers
