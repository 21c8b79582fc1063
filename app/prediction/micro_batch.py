"""Many callers' inputs for one model, predicted together; answered as if each had come alone.

What is known of a structure is taken from the cache, equal inputs are predicted once, and one
caller's mistake is nobody else's.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import redis

from app.core.errors import Problem, RetortError
from app.core.redis_line import RedisLine
from app.features.compute import MoleculeCache
from app.models.bundle import ModelBundle, Row
from app.prediction.answer_cache import answer_key, input_key, split, structure_key
from app.prediction.answers import answer_items
from app.prediction.inputs import check_kind, rows_of

logger = logging.getLogger(__name__)

#: (`input_key`, whether the cache may be used, why it is not even tried)
_Key = tuple[str, bool, str | None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One caller's inputs: [{"smiles"?, "features"?}]."""

    inputs: Sequence[Mapping[str, Any]]
    #: whether answers that are known already may be used
    use_cache: bool = True
    #: place -> why that input is not even tried
    refused: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An item for each input (bytes as `answer_cache.split` makes them), or a problem."""

    items: Sequence[bytes] = ()
    cached: Sequence[bool] = ()
    problem: Problem | None = None


class AnswerStore:
    """Answers in the cache Redis. Its loss costs time only: outages are logged, never raised."""

    def __init__(self, client: "redis.Redis[bytes]", *, ttl_seconds: int) -> None:
        self._line = RedisLine(client)
        self._ttl = ttl_seconds

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """None for each that is not there. What was `put` before goes along."""
        if not keys:
            self.flush()
            return []
        found: list[bytes | None]
        try:
            (found,) = self._line.ask(("MGET", *keys))
        except redis.RedisError as error:
            logger.warning("the answer cache does not answer: %s", error)
            return [None] * len(keys)
        return found

    def put(self, items: Mapping[str, bytes]) -> None:
        """With the next `get`, or by `flush`: nobody waits for it."""
        self._line.later(*(("SET", key, item, "EX", self._ttl) for key, item in items.items()))

    def flush(self) -> None:
        try:
            self._line.flush()
        except redis.RedisError as error:
            logger.warning("the answer cache does not answer: %s", error)


class MicroBatch:
    """`answer` first, then `remember`: the caller need not wait for the cache."""

    def __init__(
        self, model_id: UUID, bundle: ModelBundle, store: AnswerStore, molecules: MoleculeCache
    ) -> None:
        self._model_id = model_id
        self._bundle = bundle
        self._store = store
        self._molecules = molecules
        self._fresh: dict[str, bytes] = {}

    def answer(self, asked: Sequence[Asked]) -> list[Answered]:
        """In order, one for each caller."""
        problems = [self._problem_of(one) for one in asked]
        keys = [
            [] if problem is not None else _keys(one)
            for one, problem in zip(asked, problems, strict=True)
        ]
        wanted = {
            key: given
            for one, of_one in zip(asked, keys, strict=True)
            for key, given in zip(of_one, one.inputs, strict=False)  # no key with a problem
        }
        found = dict(zip(wanted, self._items(wanted), strict=True)) if wanted else {}
        answers = []
        for problem, of_one in zip(problems, keys, strict=True):
            items = [found[key] for key in of_one]
            answers.append(
                Answered(
                    items=[item for item, _ in items],
                    cached=[known for _, known in items],
                    problem=problem,
                )
            )
        return answers

    def remember(self) -> None:
        """Put the new answers into the cache, by input and by structure; see `AnswerStore.put`."""
        self._store.put(self._fresh)
        self._fresh = {}

    def _problem_of(self, one: Asked) -> Problem | None:
        try:
            check_kind(self._bundle, one.inputs)
        except RetortError as error:
            return error.problem()
        return None

    def _items(self, wanted: Mapping[_Key, Mapping[str, Any]]) -> list[tuple[bytes, bool]]:
        """(item, whether it was known) for each distinct input."""
        inputs = list(wanted.values())
        structures = self._structures([why for *_, why in wanted], inputs)
        keys = [
            structure_key(self._model_id, structure.smiles, given.get("features"))
            if hasattr(structure, "smiles")
            else None
            for structure, given in zip(structures, inputs, strict=True)
        ]
        known = self._known(keys, [use for _, use, _ in wanted])
        missing = [place for place, item in enumerate(known) if item is None]
        fresh = self._predicted([inputs[p] for p in missing], [structures[p] for p in missing])
        items: list[tuple[bytes, bool]] = [(item or b"", True) for item in known]
        for place, item in zip(missing, fresh, strict=True):
            items[place] = item, False
        for (key, _, refused), structure, (item, _) in zip(wanted, keys, items, strict=True):
            if refused is None:
                self._fresh[answer_key(self._model_id, key)] = item
                if structure is not None:
                    self._fresh[structure] = item
        return items

    def _structures(
        self, refused: Sequence[str | None], inputs: Sequence[Mapping[str, Any]]
    ) -> list[Any]:
        """`Standardized`, or the reason why there is none; of a table None, or that reason."""
        if not self._bundle.needs_structures:
            return list(refused)
        from app.chem.standardize import standardized_or_reason

        return [
            why if why is not None else standardized_or_reason(given["smiles"])
            for why, given in zip(refused, inputs, strict=True)
        ]

    def _known(self, keys: Sequence[str | None], usable: Sequence[bool]) -> list[bytes | None]:
        places = [n for n, key in enumerate(keys) if key is not None and usable[n]]
        found: list[bytes | None] = [None] * len(keys)
        items = self._store.get([keys[place] or "" for place in places])
        for place, item in zip(places, items, strict=True):
            found[place] = item
        return found

    def _predicted(
        self, inputs: Sequence[Mapping[str, Any]], structures: Sequence[Any]
    ) -> list[bytes]:
        if not inputs:
            return []
        bundle = self._bundle
        rows: list[Row] = [
            structure if isinstance(structure, str) else row
            for structure, row in zip(structures, rows_of(bundle, inputs), strict=True)
        ]
        if bundle.needs_structures:
            found = bundle.predict_standardized(structures, len(rows), self._molecules, rows)
        else:
            found = bundle.predict_rows(rows)
        given = [dict(one) for one in inputs]
        return [split(item) for item in answer_items(bundle, given, found)]


def _keys(one: Asked) -> list[_Key]:
    """Of each input: equal ones are predicted once. What may not be taken from the cache is told
    from what may.
    """
    return [
        (input_key(given), one.use_cache, one.refused.get(place))
        for place, given in enumerate(one.inputs)
    ]
