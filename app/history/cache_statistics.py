"""How often an answer was in the cache: counted by model and day, in the cache itself.

Losing the counters costs a figure, nothing else; `since` tells from when they count.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from redis import Redis

#: days of UTC that are kept
KEPT_DAYS = 30
_DAY_SECONDS = 86_400
_PREFIX = "prediction-cache:"
_SCANNED = 1_000

#: the day whose key this process has given an end already
_begun: dict[str, int] = {"day": 0}


@dataclass(frozen=True, kw_only=True)
class Counts:
    hits: int = 0
    misses: int = 0

    @property
    def hit_rate(self) -> float | None:
        """0 to 1; None when nothing was asked."""
        asked = self.hits + self.misses
        return None if asked == 0 else self.hits / asked

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(hits=self.hits + other.hits, misses=self.misses + other.misses)

    def as_json(self) -> dict[str, Any]:
        return {"hits": self.hits, "misses": self.misses, "hit_rate": self.hit_rate}


@dataclass(frozen=True, kw_only=True)
class CacheStatistics:
    #: by day and model id
    days: Mapping[date, Mapping[UUID, Counts]] = field(default_factory=dict)

    def of_models(self, model_ids: set[UUID]) -> "CacheStatistics":
        return CacheStatistics(
            days={
                day: {id_: counts for id_, counts in found.items() if id_ in model_ids}
                for day, found in self.days.items()
            }
        )

    @property
    def since(self) -> date | None:
        """The first day of which anything is known."""
        return min((day for day, found in self.days.items() if found), default=None)

    @property
    def total(self) -> Counts:
        return sum((n for found in self.days.values() for n in found.values()), Counts())

    @property
    def by_day(self) -> dict[date, Counts]:
        return {day: sum(found.values(), Counts()) for day, found in sorted(self.days.items())}

    @property
    def by_model(self) -> dict[UUID, Counts]:
        sums: defaultdict[UUID, Counts] = defaultdict(Counts)
        for found in self.days.values():
            for id_, counts in found.items():
                sums[id_] += counts
        return dict(sums)


def record(pipe: Any, model_id: UUID | str, hits: int, misses: int) -> None:
    """Put the counting into a pipeline (of redis or redis.asyncio) that is sent anyway: one command
    for hits, one for misses, none for zero.
    """
    day = int(time.time()) // _DAY_SECONDS
    key = f"{_PREFIX}{day}"
    if hits:
        pipe.hincrby(key, f"{model_id}:hits", hits)
    if misses:
        pipe.hincrby(key, f"{model_id}:misses", misses)
    if _begun["day"] != day and (hits or misses):
        pipe.expire(key, (KEPT_DAYS + 1) * _DAY_SECONDS)
        _begun["day"] = day


def read_statistics(cache: "Redis[bytes]", *, days: int = 7) -> CacheStatistics:
    """Of the last `days` days, today among them."""
    today = int(time.time()) // _DAY_SECONDS
    numbers = range(today - days + 1, today + 1)
    with cache.pipeline(transaction=False) as pipe:
        for day in numbers:
            pipe.hgetall(f"{_PREFIX}{day}")
        found = pipe.execute()
    return CacheStatistics(
        days={_date(day): dict(_counts(h)) for day, h in zip(numbers, found, strict=True)}
    )


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date()


def _counts(fields: Mapping[bytes, bytes]) -> Iterator[tuple[UUID, Counts]]:
    numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, value in fields.items():
        model_id, _, what = name.decode().partition(":")
        numbers[model_id][what] = int(value)
    for model_id, counted in numbers.items():
        yield UUID(model_id), Counts(**counted)


def forget_answers(cache: "Redis[bytes]", pattern: str) -> int:
    """Remove all keys that match (app/prediction/answer_cache.py: keys_of_model); how many."""
    removed, cursor = 0, 0
    while True:
        cursor, keys = cache.scan(cursor, pattern, _SCANNED)
        if keys:
            removed += cache.unlink(*keys)
        if cursor == 0:
            return removed
