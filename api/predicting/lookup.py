"""Reads of the cache Redis."""

import logging
from collections.abc import Sequence

from redis.exceptions import RedisError

from workers.async_redis import AsyncLine

logger = logging.getLogger(__name__)

Values = list[bytes | None]


class Lookup:
    def __init__(self, url: str) -> None:
        self._line = AsyncLine(url, timeout=2.0)

    async def get(self, keys: Sequence[str]) -> Values:
        """What lies under each key; all None when the cache does not answer."""
        try:
            found: Values = await self._line.ask("MGET", *keys)
        except (RedisError, OSError) as error:
            logger.warning("the cache does not answer: %s", error)
            return [None] * len(keys)
        return found

    async def close(self) -> None:
        await self._line.close()
