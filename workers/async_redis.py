"""Connections to Redis for coroutines."""

import asyncio
from collections import deque
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from app.core.futures import settle


def connect(url: str, *, timeout: float) -> "Redis[bytes]":
    """A pool of its own. `timeout`: of each answer, in seconds."""
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=min(timeout, 5.0))


async def close(*connections: "Redis[bytes]") -> None:
    for connection in connections:
        await connection.aclose()  # type: ignore[attr-defined] # the stubs are older


class AsyncLine:
    """One connection for any number of coroutines: a command goes out at once, behind those that
    wait for their answers. It takes a fifth of the time that redis-py's client takes, which only
    opens the connection (TLS, users).
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        """`timeout`: of each answer, in seconds."""
        self._connection: Any = connect(url, timeout=timeout).connection_pool.make_connection()
        self._timeout = timeout
        #: for all who wait for a connection
        self._opening: asyncio.Task[_Answers] | None = None
        self._answers: _Answers | None = None
        self._closed = False

    async def ask(self, *command: str | bytes | float) -> Any:
        """The answer. A command is sent once more where the connection was lost, so it may be done
        twice. Raises RedisError.
        """
        try:
            return await self._ask(command)
        except LostConnection:  # Redis was restarted, or had closed what was idle
            if self._closed:
                raise
            return await self._ask(command)

    async def close(self) -> None:
        """Who waits, or asks from now on, gets LostConnection."""
        self._closed = True
        await self._connection.disconnect(nowait=True)

    async def _ask(self, command: tuple[str | bytes | float, ...]) -> Any:
        answers = self._answers
        if answers is None or answers.lost:
            if self._opening is None:
                self._opening = asyncio.create_task(self._open())
                self._opening.add_done_callback(self._opened)
            answers = await asyncio.shield(self._opening)
        return await answers.of(command)

    async def _open(self) -> "_Answers":
        await self._connection.disconnect(nowait=True)
        if not self._closed:
            await self._connection.connect_check_health(retry_socket_connect=False)
        if self._closed:  # before, or meanwhile
            await self._connection.disconnect(nowait=True)
            raise LostConnection("this line was closed")
        # redis-py has read what it asked for, and gives no other way to its connection
        transport = self._connection._writer.transport  # noqa: SLF001
        self._answers = _Answers(transport, self._timeout)
        transport.set_protocol(self._answers)
        return self._answers

    def _opened(self, opening: "asyncio.Task[_Answers]") -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # told to those who wait; there may be none any more


class _Answers(asyncio.Protocol):
    """To the commands of one connection, in their order."""

    def __init__(self, transport: asyncio.Transport, timeout: float) -> None:
        self.lost: RedisError | None = None
        self._transport = transport
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=ResponseError)
        #: who waits, and since when
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def of(self, command: tuple[str | bytes | float, ...]) -> "asyncio.Future[Any]":
        future = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        self._transport.write(hiredis.pack_command(cast("Any", command)))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._look)
        return future

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not False:
                if not isinstance(answer, hiredis.PushNotification):
                    self._tell(answer)
        except InvalidResponse as error:
            self._lose(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(LostConnection(f"Redis has closed the connection: {error}"))

    def _tell(self, answer: Any) -> None:
        future, _ = self._waiting.popleft()
        settle(future, answer)

    def _look(self) -> None:
        """Whether the first has waited too long."""
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self._timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._lose(NoAnswer(f"Redis has not answered within {self._timeout:g} s"))

    def _lose(self, error: RedisError) -> None:
        if self.lost is not None:
            return
        self.lost = error
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        for future, _ in self._waiting:
            settle(future, error)
        self._waiting.clear()
