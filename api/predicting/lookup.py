"""Reads of the cache Redis: one command for all callers that ask at the same time."""

import asyncio
import logging
from collections.abc import Sequence

from redis.exceptions import RedisError

from workers.async_redis import close, connect

logger = logging.getLogger(__name__)

Values = list[bytes | None]


class Lookup:
    """`get` goes out at once when nothing is under way; what comes meanwhile goes out together."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, timeout=2.0)
        self._under_way = False
        self._pending: list[tuple[Sequence[str], asyncio.Future[Values]]] = []
        self._task: asyncio.Task[None] | None = None

    async def get(self, keys: Sequence[str]) -> Values:
        """What lies under each key; all None when the cache does not answer."""
        if self._under_way:
            future: asyncio.Future[Values] = asyncio.get_running_loop().create_future()
            self._pending.append((keys, future))
            return await future
        self._under_way = True
        try:
            return await self._read(keys)
        finally:
            if self._pending:
                self._task = asyncio.create_task(self._drain())
            else:
                self._under_way = False

    async def _drain(self) -> None:
        while self._pending:
            together, self._pending = self._pending, []
            values = await self._read([key for keys, _ in together for key in keys])
            at = 0
            for keys, future in together:
                if not future.done():
                    future.set_result(values[at : at + len(keys)])
                at += len(keys)
        self._under_way = False

    async def _read(self, keys: Sequence[str]) -> Values:
        try:
            found: Values = await self._redis.mget(keys)
        except (RedisError, OSError) as error:
            logger.warning("the cache does not answer: %s", error)
            return [None] * len(keys)
        return found

    async def close(self) -> None:
        await close(self._redis)
