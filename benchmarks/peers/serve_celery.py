"""Celery with batching: POST /predict {"smiles": "..."}, answered by a batch task. Run by its own
interpreter: `-m benchmarks.peers.serve_celery`.

celery-batches as its documentation recommends: `flush_every` below what is prefetched; the
`flush_interval` is the best for it of 1, 5 and 20 ms. Results go through Celery's Redis backend.

What a user would have to find out is done for it: the route is a coroutine, one pattern
subscription brings all results (a `result.get()` blocks a thread for each caller), and the client
subscribes to none itself (`ignore_result`). No events, no gossip, no mingle, no heartbeat.

`PEER_POOL`: the worker's pool, `prefork` (a child for each core behind the process that collects)
or `solo` (one process that collects and predicts).
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
from celery import Celery
from celery.signals import worker_init, worker_process_init
from celery_batches import Batches
from fastapi import FastAPI, Response
from redis.asyncio import Redis

from benchmarks.peers.stored_model import CORES, PORT, Predict, load_model

BROKER = "PEER_BROKER"
POOL = "PEER_POOL"
_WAIT_SECONDS = float(os.environ.get("PEER_WAIT_SECONDS", "0.005"))
_RESULT = "celery-task-meta-"

app = Celery("peer", broker=os.environ[BROKER], backend=os.environ[BROKER])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    result_expires=60,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
)
#: the model of this process
_loaded: list[Predict] = []


def _load(**_: Any) -> None:
    _loaded.append(load_model())


# a child loads its own; the process that collects for children needs none
(worker_init if os.environ[POOL] == "solo" else worker_process_init).connect(_load)


@app.task(base=Batches, flush_every=32, flush_interval=_WAIT_SECONDS, name="peer.predict")
def predict(requests: list[Any]) -> None:
    answers = _loaded[-1]([request.args[0] for request in requests])
    for request, answer in zip(requests, answers, strict=True):
        text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        # without its request, which would say that its result is ignored
        app.backend.mark_as_done(request.id, text)


class Results:
    """Who waits for which result, of all callers of this process."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._redis = Redis.from_url(os.environ[BROKER])

    async def listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.psubscribe(f"{_RESULT}*")
            async for message in channel.listen():
                told = orjson.loads(message["data"])
                waiting = self._waiting.pop(told["task_id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(told["result"])

    async def of(self, smiles: str) -> str:
        id_ = uuid4().hex
        waiting = self._waiting[id_] = asyncio.get_running_loop().create_future()
        predict.apply_async((smiles,), task_id=id_, ignore_result=True)
        return await asyncio.wait_for(waiting, 20)


def create_gateway() -> FastAPI:
    results = Results()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        listening = asyncio.create_task(results.listen())
        yield
        listening.cancel()

    api = FastAPI(lifespan=lifespan)

    @api.post("/predict")
    async def answer(body: dict[str, str]) -> Response:
        return Response(await results.of(body["smiles"]), media_type="application/json")

    return api


def main() -> None:
    """The worker as a child, the gateway in this process."""
    import uvicorn

    pool = os.environ[POOL]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    where = ["-A", "benchmarks.peers.serve_celery", "worker", "--pool", pool]
    concurrency = ["-c", os.environ[CORES] if pool == "prefork" else "1"]
    with subprocess.Popen([sys.executable, "-m", "celery", *where, *concurrency, *quiet]) as worker:
        try:
            uvicorn.run(
                create_gateway(),
                host="127.0.0.1",
                port=int(os.environ[PORT]),
                access_log=False,
                log_level="warning",
            )
        finally:
            worker.terminate()


if __name__ == "__main__":
    main()
