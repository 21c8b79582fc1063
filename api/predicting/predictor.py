"""`POST /predictions` behind its route: known answers are read, the others asked for."""

import time
from collections.abc import Sequence
from dataclasses import replace

from api.predicting.aside import Aside
from api.predicting.lookup import Lookup
from api.predicting.names import ENDPOINT, Names
from api.predicting.request import (
    Asked,
    Cause,
    Choice,
    Kept,
    Predicted,
    cause_of,
    choose,
    fallback_of,
    kept_of,
    question_of,
)
from api.telemetry import Telemetry
from app.core.errors import Overloaded, RetortError
from app.endpoints.metering import Meter, MeterThread
from app.endpoints.routing import Arm
from app.history.entries import Answered, entries_of
from app.models.pointers import POINTERS_KEY
from app.prediction.answer_cache import answer_key, input_key
from app.resources import Resources
from workers.serving.client import ServingClient

#: in an item's bytes, as `answer_cache.split` writes them
_OUTSIDE = b'"inside":false'
_REFUSED = b'"status":"error"'


class Predictor:
    """Kept by the gateway for its lifetime; for one event loop, between `start` and `close`."""

    def __init__(self, resources: Resources, telemetry: Telemetry) -> None:
        settings = resources.settings
        self._telemetry = telemetry
        self._names = Names(resources)
        self._lookup = Lookup(settings.effective_cache_url)
        self._aside = Aside(resources)
        self._meter = Meter()
        self._meter_thread = MeterThread(self._meter, resources.database)
        self.serving = ServingClient(settings.redis_url, max_inputs=settings.max_waiting_inputs)

    async def start(self) -> None:
        await self.serving.start()
        await self._aside.start()
        self._meter_thread.start()

    async def close(self) -> None:
        await self._aside.close()
        await self.serving.close()
        await self._lookup.close()
        self._meter_thread.close()

    async def predict(self, asked: Asked) -> Predicted:
        """Raises NotFound, InvalidInput, Conflict, Overloaded, Unavailable, AnsweredError."""
        keys = [input_key(given) for given in asked.inputs]
        choice, known = await self._known(asked, keys)
        if choice.revision is not None and not choice.revision.cache:
            asked = replace(asked, use_cache=False)
        if not asked.use_cache:
            known = [None] * len(keys)
        started = time.perf_counter()
        try:
            found = await self._complete(choice, asked, keys, known)
        except RetortError as error:
            self._observe(choice, None, started, error=error)
            found = await self._instead(choice, asked, keys, error)
        else:
            self._observe(choice, found, started)
            found = await self._inside(choice, asked, keys, found)
        self._tell(choice, asked, keys, found, started)
        return found

    async def model_of(self, asked: Asked) -> str:
        """What a job is to predict with that is made of a request: of an endpoint the version that
        would answer it now. Raises NotFound, InvalidInput, Conflict.
        """
        if not asked.ref.startswith(ENDPOINT):
            return asked.ref
        (word,) = await self._lookup.get([POINTERS_KEY])
        target = await self._names.resolve(asked.caller.project_id, asked.ref, word)
        return str(choose(target, asked).model.model_id)

    # ---- who answers, and what is known already

    async def _known(
        self, asked: Asked, keys: Sequence[str]
    ) -> tuple[Choice, Sequence[bytes | None]]:
        project_id = asked.caller.project_id
        guess = self._names.remembered(project_id, asked.ref)
        choice = None if guess is None else choose(guess.target, asked)
        word, *known = await self._read(choice, keys)
        if guess is not None and choice is not None and guess.holds(word):
            return choice, known
        target = await self._names.resolve(project_id, asked.ref, word)
        if guess is None or choice is None or target != guess.target:
            before, choice = choice, choose(target, asked)
            if before is None or before.model.model_id != choice.model.model_id:
                _, *known = await self._read(choice, keys)
        return choice, known

    async def _read(self, choice: Choice | None, keys: Sequence[str]) -> list[bytes | None]:
        """The pointers' word, then the known answers; None for each while no model is known."""
        if choice is None:
            return [*await self._lookup.get([POINTERS_KEY]), *[None] * len(keys)]
        model_id = choice.model.model_id
        return await self._lookup.get([POINTERS_KEY, *(answer_key(model_id, k) for k in keys)])

    # ---- asking

    async def _complete(
        self,
        choice: Choice,
        asked: Asked,
        keys: Sequence[str],
        known: Sequence[bytes | None],
    ) -> Predicted:
        """Equal inputs (`keys`) are asked for once, and each of their places is answered."""
        missing = {
            key: given
            for key, given, item in zip(keys, asked.inputs, known, strict=True)
            if item is None
        }
        fresh: dict[str, tuple[bytes, bool]] = {}
        if missing:
            deadline = None if choice.revision is None else choice.revision.deadline_ms
            answer = await self.serving.ask(
                choice.model.model_id,
                [question_of(given) for given in missing.values()],
                seconds=asked.seconds if deadline is None else min(asked.seconds, deadline / 1000),
                use_cache=asked.use_cache,
            )
            answers = zip(answer.items, answer.cached, strict=True)
            fresh = dict(zip(missing, answers, strict=True))
        items = [
            fresh[key] if item is None else (item, True)
            for key, item in zip(keys, known, strict=True)
        ]
        return Predicted(
            model=choice.model,
            items=[item for item, _ in items],
            cached=[was_known for _, was_known in items],
            revision=choice.revision,
        )

    async def _instead(
        self, choice: Choice, asked: Asked, keys: Sequence[str], error: RetortError
    ) -> Predicted:
        """The fallback's answer; raises `error` where there is none for it."""
        cause: Cause | None = cause_of(error)
        arm = fallback_of(choice, cause)
        if arm is None or cause is None:
            raise error
        found = await self._by_fallback(choice, arm, asked, keys)
        return replace(found, fallback=(arm, cause, range(len(keys))))

    async def _inside(
        self, choice: Choice, asked: Asked, keys: Sequence[str], found: Predicted
    ) -> Predicted:
        """With the fallback's answers where the model knows too little, if that is asked for."""
        arm = fallback_of(choice, "out_of_domain")
        outside = [n for n, item in enumerate(found.items) if arm and _OUTSIDE in item]
        if arm is None or not outside:
            return found
        some = replace(asked, inputs=[asked.inputs[place] for place in outside])
        try:
            other = await self._by_fallback(choice, arm, some, [keys[place] for place in outside])
        except RetortError:
            return found  # what the model said, with the flag that says so
        items, cached = list(found.items), list(found.cached)
        for place, item, known in zip(outside, other.items, other.cached, strict=True):
            items[place], cached[place] = item, known
        return replace(found, items=items, cached=cached, fallback=(arm, "out_of_domain", outside))

    async def _by_fallback(
        self, choice: Choice, arm: Arm, asked: Asked, keys: Sequence[str]
    ) -> Predicted:
        started = time.perf_counter()
        instead = Choice(model=arm, revision=choice.revision)
        _, *known = await self._read(instead, keys)
        if not asked.use_cache:
            known = [None] * len(keys)
        try:
            found = await self._complete(instead, asked, keys, known)
        except RetortError as error:
            self._observe(instead, None, started, error=error)
            raise
        self._observe(instead, found, started)
        return found

    # ---- beside answering

    def _tell(
        self,
        choice: Choice,
        asked: Asked,
        keys: Sequence[str],
        found: Predicted,
        started: float,
    ) -> None:
        hits = sum(found.cached)
        misses = len(found.cached) - hits
        self._aside.count(found.model.model_id, hits, misses)
        self._telemetry.predicted(hits, misses)
        shadows = () if self._aside.is_busy else choice.shadows
        kept = kept_of(asked, found.revision, keys, shadowed=bool(shadows))
        self._remember(asked, keys, found, started, kept)
        for arm in shadows:
            self._aside.do(self._shadow(replace(choice, model=arm), asked, keys, kept))

    async def _shadow(
        self, choice: Choice, asked: Asked, keys: Sequence[str], kept: Kept | None
    ) -> None:
        started = time.perf_counter()
        try:
            found = await self._complete(choice, asked, keys, [None] * len(keys))
        except RetortError as error:
            self._observe(choice, None, started, error=error)
            return
        self._observe(choice, found, started)
        self._remember(asked, keys, found, started, kept)

    def _remember(
        self,
        asked: Asked,
        keys: Sequence[str],
        found: Predicted,
        started: float,
        kept: Kept | None,
    ) -> None:
        """Of equal inputs one, or one for each id by which the caller would find it again."""
        if kept is None:
            return
        distinct = {
            (key, given.get("id")): n
            for n, (key, given) in enumerate(zip(keys, asked.inputs, strict=True))
            if key in kept.keys
        }
        drawn = list(distinct.values())
        by_fallback = {} if found.fallback is None else dict.fromkeys(found.fallback[2], True)
        for fell_back in (False, True):
            places = [n for n in drawn if (n in by_fallback) == fell_back]
            arm = found.fallback[0] if fell_back and found.fallback is not None else found.model
            self._aside.remember(
                entries_of(
                    _Named(arm),
                    [
                        Answered(
                            given=asked.inputs[n],
                            input_key=keys[n],
                            answer=found.items[n],
                            cached=found.cached[n],
                        )
                        for n in places
                    ],
                    caller=asked.caller,
                    request_id=asked.request_id,
                    mode="fallback" if fell_back else arm.mode,
                    policy=kept.policy,
                    endpoint_id=None if found.revision is None else found.revision.endpoint_id,
                    endpoint_revision=None if found.revision is None else found.revision.number,
                    latency_ms=round(1000 * (time.perf_counter() - started), 3),
                )
            )

    def _observe(
        self,
        choice: Choice,
        found: Predicted | None,
        started: float,
        *,
        error: RetortError | None = None,
    ) -> None:
        """One request to one arm of an endpoint. What the caller did wrong is no error of it, and
        what was shed before any model was asked (Overloaded) no request to it: it would be a
        failure that is not the arm's, or one of a canary's `min_requests` that says nothing of it.
        """
        if choice.revision is None or isinstance(error, Overloaded):
            return
        items = () if found is None else found.items
        cause = None if error is None else cause_of(error)
        self._meter.observe(
            choice.revision.endpoint_id,
            choice.revision.number,
            choice.model.model_id,
            choice.model.mode,
            milliseconds=1000 * (time.perf_counter() - started),
            inputs=len(items) or 1,
            refused=sum(_REFUSED in item for item in items),
            cached=0 if found is None else sum(found.cached),
            out_of_domain=sum(_OUTSIDE in item for item in items),
            error=cause is not None,
            fell_back=fallback_of(choice, cause) is not None,
        )


class _Named:
    """A model version as the history names it."""

    def __init__(self, arm: Arm) -> None:
        self.id, self.name, self.number = arm.model_id, arm.name, arm.number
