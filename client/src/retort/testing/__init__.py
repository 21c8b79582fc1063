"""For the tests of programs that use Retort: the client with a server in memory.

    from retort.testing import FakeRetort

    client = FakeRetort()
    client.server.fail_next("train", code="too_few_rows", detail="two rows are not enough")

`FakeRetort` and `AsyncFakeRetort` are the real clients; requests go to a `FakeServer`, which keeps
row accounting, ids, pages, aliases and idempotency as the real one does. Its predictions are made
of hashes: the same each time, meaningless, and marked `"fake": true`.
"""

from typing import Any

from retort._async.client import AsyncRetort
from retort._sync.client import Retort
from retort.testing.server import FakeServer

__all__ = ["AsyncFakeRetort", "FakeRetort", "FakeServer"]

_URL = "http://fake.retort"


class FakeRetort(Retort):
    """`Retort` without a server; `server` tells it how to behave."""

    def __init__(self, server: FakeServer | None = None, **options: Any) -> None:
        self.server = server or FakeServer()
        super().__init__(_URL, "rt_fake", transport=self.server, **options)
        self.transport.sleep = self.server.slept.append


class AsyncFakeRetort(AsyncRetort):
    """`AsyncRetort` without a server; `server` tells it how to behave."""

    def __init__(self, server: FakeServer | None = None, **options: Any) -> None:
        self.server = server or FakeServer()
        super().__init__(_URL, "rt_fake", transport=self.server, **options)
        self.transport.sleep = self._sleep

    async def _sleep(self, seconds: float) -> None:
        self.server.slept.append(seconds)
