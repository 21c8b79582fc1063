"""The least that a cached answer can cost: one uvicorn process that reads one Redis key.

`/async` reads it on the event loop, `/threaded` in the threadpool that FastAPI gives to plain
functions. No key is checked, nothing is parsed.
"""

import os

from fastapi import FastAPI, Response
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

KEY = "bare"
URL = "BARE_REDIS_URL"


def create_bare() -> FastAPI:
    url = os.environ[URL]
    on_the_loop, in_a_thread = AsyncRedis.from_url(url), Redis.from_url(url)
    api = FastAPI()

    @api.post("/async")
    async def read() -> Response:
        return Response(await on_the_loop.get(KEY), media_type="application/json")

    @api.post("/threaded")
    def read_in_a_thread() -> Response:
        return Response(in_a_thread.get(KEY), media_type="application/json")

    return api
