"""What one serving process does: take what has gathered, answer it together, again and again.

Nothing waits for a batch to fill: an idle process answers a single question at once, a busy one
finds what has arrived meanwhile. Models are loaded by a second thread, so that a cold model holds
up those who asked for it and nobody else.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import orjson
import redis
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Problem
from app.core.redis_line import Command, RedisLine
from app.endpoints.active import likely_asked
from app.features.matrix import molecule_cache
from app.jobs.finish import problem_of
from app.models.bundle import ModelBundle
from app.models.warming import WARM_CHANNEL
from app.prediction.loading import model_cache
from app.prediction.micro_batch import Answered, AnswerStore, Asked, MicroBatch
from app.resources import Resources
from workers.serving.in_hand import InHand
from workers.serving.protocol import (
    FIRST,
    LONG_QUESTIONS,
    QUESTIONS,
    REPLY_TTL,
    Answer,
    Question,
    encode_answers,
)

logger = logging.getLogger(__name__)

#: questions of a micro-batch: more only make the first of them wait
MAX_BATCH = 64
#: so many are taken whoever else might: each batch has costs of its own
_LEAST_SHARE = 4
#: how long an idle process sleeps before it looks whether it is to end or to load something
_IDLE_SECONDS = 0.25
_LOADING_SECONDS = 0.01
#: a busy process looks so often whether it is to load something
_LOOK_SECONDS = 0.25
_PAUSE_SECONDS = 0.5
#: a model that could not be loaded is not tried again for that long
_BROKEN_SECONDS = 5.0

#: models that are loaded before anybody asks
_WARM_AT_START = 8

#: told what the process has in hand, whenever that changes
Watch = Callable[[InHand], None]


class Server:
    """`run` until `stop`."""

    def __init__(
        self, resources: Resources, watch: Watch = lambda _: None, *, first: bool = True
    ) -> None:
        """`first`: of its worker; it takes FIRST too."""
        self._lists = (*((FIRST,) if first else ()), QUESTIONS, LONG_QUESTIONS)
        self._resources = resources
        self._watch = watch
        self._line = RedisLine(resources.redis)
        self._store = AnswerStore(
            resources.cache, ttl_seconds=resources.settings.answer_cache_ttl_seconds
        )
        self._molecules = molecule_cache(resources)
        self._models = _Models(resources)
        #: how many it takes at once: half of what waited the last time, so that the other processes
        #: and the gateway have work meanwhile
        self._share = _LEAST_SHARE
        #: taken while the answers before them were sent
        self._gathered: list[Question] = []
        #: taken and not answered, by their ids
        self._held: dict[str, Question] = {}
        self._stopping = False

    def stop(self) -> None:
        """After the batch that is being answered."""
        self._stopping = True

    def run(self) -> None:
        """Until `stop`; an outage of Redis is waited for."""
        while not self._stopping:
            try:
                self._run()
            except redis.RedisError as error:
                logger.warning("Redis does not answer: %s", error)
                time.sleep(_PAUSE_SECONDS)

    def _run(self) -> None:
        with self._resources.redis.pubsub(ignore_subscribe_messages=True) as warm:
            warm.subscribe(WARM_CHANNEL)
            self._warm_at_start()
            self._tell()  # ready
            looked = time.monotonic()
            while self._gathered or not self._stopping:
                self.step(self._idle_seconds())
                self._tell_loaded()
                if (now := time.monotonic()) - looked < _LOOK_SECONDS:
                    continue
                looked = now
                while message := warm.get_message():
                    self._models.warm(*_asked_to_load(message["data"]))

    def _warm_at_start(self) -> None:
        """What will be asked for, most likely."""
        try:
            with self._resources.database.session() as session:
                model_ids = likely_asked(session, _WARM_AT_START)
        except SQLAlchemyError as error:
            logger.warning("models are loaded when they are first asked for: %s", error)
            return
        except Exception:  # one endpoint that nobody can read is no reason to answer nobody
            logger.exception("models are loaded when they are first asked for")
            return
        self._models.warm(model_ids)

    def _tell_loaded(self) -> None:
        for reply_to in self._models.settled():
            self._line.send(("RPUSH", reply_to, b"1"), ("EXPIRE", reply_to, REPLY_TTL))

    def _idle_seconds(self) -> float:
        return _LOADING_SECONDS if self._models.loading else _IDLE_SECONDS

    def step(self, timeout: float) -> None:
        """Answer what has gathered, waiting for the first question at most `timeout` seconds."""
        taken, self._gathered = self._gathered, []
        taken = taken or self._take(("BLPOP", *self._lists, timeout))
        for question in taken:
            self._held[question.id] = question
            self._models.add(question)
        ready = self._models.ready()
        try:
            for bundle, questions in ready:
                self._serve(bundle, questions)
            if ready:
                self._gathered = self._go_on()
        finally:
            if (taken or ready) and not self._gathered:
                self._tell()

    def _tell(self, working: Sequence[Question] = ()) -> None:
        ids = {question.id for question in working}
        held = [question for id_, question in self._held.items() if id_ not in ids]
        self._watch(InHand(working=working, held=held))

    def _go_on(self) -> list[Question]:
        """Send the last answers, and in the same piece ask for what has gathered meanwhile."""
        if self._stopping:
            self._line.flush()
            gathered = []
        else:
            gathered = self._take()
        if not gathered:
            self._store.flush()
        return gathered

    def _take(self, *wait: Command) -> list[Question]:
        """A share of what has gathered, and what `wait` gives before. Of long questions one: the
        next to be answered may be a short one of somebody else.
        """
        take_all = [("LPOP", name, self._share) for name in self._lists if name != LONG_QUESTIONS]
        *found, left = self._line.ask(*wait, *take_all, ("LLEN", QUESTIONS))
        waited, gathered = found[: len(wait)], found[len(wait) :]
        raws = [one[1] for one in waited if one is not None]
        raws += [raw for some in gathered for raw in some or ()]
        self._share = min(MAX_BATCH, max(_LEAST_SHARE, -(-(len(raws) + left) // 2)))
        now = time.time()
        return [question for question in map(Question.decode, raws) if question.until > now]

    def _serve(self, bundle: "ModelBundle | Problem", questions: Sequence[Question]) -> None:
        if isinstance(bundle, dict):
            self._reply(questions, [Answered(problem=bundle)] * len(questions), 0.0)
            return
        suspects = [question for question in questions if question.deaths]
        together = [question for question in questions if not question.deaths]
        for batch in ([together] if together else []) + [[suspect] for suspect in suspects]:
            self._answer(bundle, batch)

    def _answer(self, bundle: ModelBundle, questions: Sequence[Question]) -> None:
        started = time.perf_counter()
        self._line.flush()  # answers of the batch before, in the same step
        work = MicroBatch(questions[0].model_id, bundle, self._store, self._molecules)
        self._tell(questions)
        try:
            answers = self._answers(work, questions)
        except Exception as error:
            if len(questions) > 1:  # it is the fault of one of them
                for question in questions:
                    self._answer(bundle, [question])
                return
            logger.exception("the question %s failed", questions[0].id)
            answers = [Answered(problem=problem_of(error))]
        self._reply(questions, answers, 1000 * (time.perf_counter() - started))
        work.remember()

    def _answers(self, work: MicroBatch, questions: Sequence[Question]) -> list[Answered]:
        first = questions[0]
        if first.deaths:  # it comes alone
            return [self._one_by_one(work, first)]
        return work.answer([_asked(question) for question in questions])

    def _one_by_one(self, work: MicroBatch, question: Question) -> Answered:
        """After a death: each input by itself, so that who watches knows which one kills."""
        reasons = dict(question.poison)
        items: list[bytes] = []
        cached: list[bool] = []
        for place, given in enumerate(question.inputs):
            self._tell([replace(question, at=place)])
            refused = {0: reasons[place]} if place in reasons else {}
            (found,) = work.answer(
                [Asked(inputs=[given], use_cache=question.use_cache, refused=refused)]
            )
            if found.problem is not None:
                return found
            items += found.items
            cached += found.cached
        return Answered(items=items, cached=cached)

    def _reply(
        self, questions: Sequence[Question], answers: Sequence[Answered], milliseconds: float
    ) -> None:
        """They are no longer in hand, even if Redis does not take the answers."""
        by_gateway: dict[str, list[Answer]] = defaultdict(list)
        for question, answer in zip(questions, answers, strict=True):
            self._held.pop(question.id, None)
            by_gateway[question.reply_to].append(
                Answer(
                    id=question.id,
                    items=answer.items,
                    cached=answer.cached,
                    milliseconds=round(milliseconds, 3),
                    problem=answer.problem,
                )
            )
        for name, told in by_gateway.items():
            self._line.later(("RPUSH", name, encode_answers(told)), ("EXPIRE", name, REPLY_TTL))


class _Models:
    """Questions wait here for their model."""

    def __init__(self, resources: Resources) -> None:
        self._cache = model_cache(resources)
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="model-loader")
        self._loads: dict[UUID, Future[ModelBundle]] = {}
        self._waiting: dict[UUID, list[Question]] = defaultdict(list)
        self._broken: dict[UUID, tuple[float, Problem]] = {}
        #: whom to tell when these are loaded, or cannot be
        self._to_tell: list[tuple[str, list[UUID]]] = []

    @property
    def loading(self) -> bool:
        return bool(self._loads)

    def warm(self, model_ids: Sequence[UUID], reply_to: str | None = None) -> None:
        for model_id in model_ids:
            if self._cache.peek(model_id) is None:
                self._load(model_id)
        if reply_to is not None:
            self._to_tell.append((reply_to, list(model_ids)))

    def settled(self) -> list[str]:
        """Whom to tell now: what has ended is known since the last `ready`."""
        asked, self._to_tell = self._to_tell, []
        told: list[str] = []
        for reply_to, model_ids in asked:
            if self._loads.keys().isdisjoint(model_ids):
                told.append(reply_to)
            else:
                self._to_tell.append((reply_to, model_ids))
        return told

    def add(self, question: Question) -> None:
        self._waiting[question.model_id].append(question)

    def ready(self) -> list[tuple[ModelBundle | Problem, list[Question]]]:
        """Each model that is there (or why it will not be) with all who asked for it."""
        self._collect()
        found: list[tuple[ModelBundle | Problem, list[Question]]] = []
        for model_id in list(self._waiting):
            bundle = self._cache.peek(model_id) or self._broken_for(model_id)
            if bundle is None:
                self._load(model_id)
            else:
                found.append((bundle, self._waiting.pop(model_id)))
        return found

    def _load(self, model_id: UUID) -> None:
        if model_id not in self._loads:
            self._loads[model_id] = self._loader.submit(self._cache.get, model_id)

    def _collect(self) -> None:
        for model_id in [m for m, load in self._loads.items() if load.done()]:
            error = self._loads.pop(model_id).exception()
            if error is None:
                continue
            logger.warning("model %s cannot be loaded: %s", model_id, error)
            self._broken[model_id] = time.monotonic() + _BROKEN_SECONDS, problem_of(error)

    def _broken_for(self, model_id: UUID) -> Problem | None:
        until, problem = self._broken.get(model_id, (0.0, None))
        if until > time.monotonic():
            return problem
        self._broken.pop(model_id, None)
        return None


def _asked(question: Question) -> Asked:
    return Asked(inputs=question.inputs, use_cache=question.use_cache)


def _asked_to_load(data: bytes) -> tuple[list[UUID], str | None]:
    """The models, and whom to tell (nobody: a gateway of the release before)."""
    try:
        asked = orjson.loads(data)
        return [UUID(text) for text in asked["model_ids"]], asked.get("reply_to")
    except (ValueError, KeyError, TypeError, AttributeError):
        logger.warning("not a request to load models: %r", data[:200])
        return [], None
