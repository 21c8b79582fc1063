"""What is done beside answering and never waited for: history, statistics, shadows."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from app.history.cache_statistics import record
from app.history.entries import HistoryEntry
from app.history.sink import push_soon
from app.resources import Resources
from workers.async_redis import close, connect

logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 1.0
#: shadows under way; a request beyond that has none
MAX_ASIDE = 200


class Aside:
    """For one event loop, between `start` and `close`."""

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._redis = connect(settings.redis_url, timeout=5.0)
        self._cache = connect(settings.effective_cache_url, timeout=5.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._hits: Counter[UUID] = Counter()
        self._misses: Counter[UUID] = Counter()
        self._flushing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._flushing = asyncio.create_task(self._flush_always())

    async def close(self) -> None:
        """After what is under way has ended."""
        if self._flushing is not None:
            self._flushing.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flush()
        await close(self._redis, self._cache)

    @property
    def is_busy(self) -> bool:
        return len(self._tasks) >= MAX_ASIDE

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def count(self, model_id: UUID, hits: int, misses: int) -> None:
        """Of one answer's inputs, how many were known before."""
        if hits:
            self._hits[model_id] += hits
        if misses:
            self._misses[model_id] += misses

    def remember(self, entries: Sequence[HistoryEntry]) -> None:
        if entries:
            self.do(self._push(entries))

    async def _push(self, entries: Sequence[HistoryEntry]) -> None:
        await push_soon(self._redis, entries)

    async def _flush_always(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        """Counts are lost with the cache that they are of."""
        hits, misses = self._hits, self._misses
        if not hits and not misses:
            return
        self._hits, self._misses = Counter(), Counter()
        try:
            async with self._cache.pipeline(transaction=False) as pipe:
                for model_id in hits.keys() | misses.keys():
                    record(pipe, model_id, hits[model_id], misses[model_id])
                await pipe.execute()
        except (RedisError, OSError) as error:
            logger.warning("hits of the answer cache are not counted: %s", error)
