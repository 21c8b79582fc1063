"""Whether this gateway can do its work now: each thing that it stands on, asked at the same time.

A store that hangs must not hang the answer, nor collect threads: whoever has not answered within
the limit is told as `Timeout`, and not asked again before it has.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.db.schema_version import schema_state
from app.resources import Resources
from workers.broker import answers, on_redis

#: seconds; below the time limits of those who ask (compose 10, Kubernetes by default 1)
LIMIT_SECONDS = 2.5
#: the blob store is written to so often at most: each write is a flush, or a paid request
_WRITE_SECONDS = 30.0
#: told of only
BROKER = "broker"


@dataclass(frozen=True, kw_only=True)
class Checked:
    #: `ok`, or what is wrong in a word: no address and no secret
    said: str
    #: milliseconds until that was known
    milliseconds: float


class SchemaBehind(Exception):
    """The database lacks migrations that this code needs."""


class BrokerSilent(Exception):
    """The broker takes no connection."""


class Readiness:
    """Of one gateway process."""

    def __init__(self, resources: Resources, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._resources = resources
        self._limit = limit_seconds
        self._lock = threading.Lock()
        #: of its own: it does not try again, which takes longer than the limit
        self.redis: Redis[bytes] = Redis.from_url(
            resources.settings.redis_url,
            socket_timeout=2 * limit_seconds,
            socket_connect_timeout=limit_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        self._written_at = float("-inf")
        self._checks: dict[str, Callable[[], object]] = {
            "postgres": self._postgres,
            "schema": self._schema,
            "redis": self._redis,
            "storage": self._storage,
        }
        if not on_redis(resources.settings.celery_broker_url):
            self._checks[BROKER] = self._broker
        self._threads = ThreadPoolExecutor(len(self._checks), thread_name_prefix="readiness")
        self._asked: dict[str, Future[Checked]] = {}

    def look(self) -> Mapping[str, Checked]:
        """What each said, in the order of the list above."""
        with self._lock:
            for name, check in self._checks.items():
                if name not in self._asked:
                    self._asked[name] = self._threads.submit(_checked, check)
            asked = dict(self._asked)
        wait(asked.values(), timeout=self._limit)
        return {name: self._answer(name, future) for name, future in asked.items()}

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.redis.close()

    def _answer(self, name: str, future: "Future[Checked]") -> Checked:
        if not future.done():
            return Checked(said="Timeout", milliseconds=1000 * self._limit)
        with self._lock:
            if self._asked.get(name) is future:
                del self._asked[name]
        return future.result()

    def _postgres(self) -> None:
        with self._resources.database.cursor() as cursor:
            cursor.execute("SELECT 1")

    def _schema(self) -> None:
        """A database that a newer release has migrated serves this one too."""
        if not schema_state(self._resources.database).serves:
            raise SchemaBehind

    def _redis(self) -> None:
        self.redis.ping()

    def _broker(self) -> None:
        if not answers(self._resources.settings.celery_broker_url):
            raise BrokerSilent

    def _storage(self) -> None:
        """It can be written to: a full disk, or a volume that is mounted read-only, can be read."""
        now = time.monotonic()
        if now - self._written_at < _WRITE_SECONDS:
            self._resources.storage.exists("health")
            return
        self._resources.storage.write(f"health/{socket.gethostname()}", b"")
        self._written_at = now


def _checked(check: Callable[[], object]) -> Checked:
    started = time.monotonic()
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        said = type(error).__name__
    else:
        said = "ok"
    return Checked(said=said, milliseconds=round(1000 * (time.monotonic() - started), 2))
