"""One connection to Redis for one thread that need not wait for every answer.

redis-py's client takes four times as long for a small command as its connection does, and waits for
each. Here the connection is used as it is: what is sent goes out at once, its answer is read when
somebody asks.
"""

import logging
from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import ResponseError

logger = logging.getLogger(__name__)

Command = tuple[str | bytes | float, ...]

#: commands whose answers nobody has read: more are not sent before those are
_MOST_UNREAD = 256


class RedisLine:
    """What was not answered when the connection was lost is sent once more over another, so a
    command may be done twice. After an error nothing is under way.
    """

    def __init__(self, client: "Redis[bytes]") -> None:
        self._connection: Any = client.connection_pool.make_connection()
        self._unsent: list[Command] = []
        #: sent; their answers come in this order
        self._unread: list[Command] = []

    def send(self, *commands: Command) -> None:
        """Wait for no answer; what is refused is logged when the answers are read: when somebody
        asks, or before they are too many.
        """
        if len(self._unread) + len(commands) > _MOST_UNREAD:
            self.ask()
        self._unsent += commands
        self._twice(self._write)

    def later(self, *commands: Command) -> None:
        """As `send`, together with what is sent next, or by `flush`."""
        self._unsent += commands

    def flush(self) -> None:
        """Send what was to be sent later. Raises RedisError."""
        if self._unsent:
            self.send()

    def ask(self, *commands: Command) -> list[Any]:
        """The answers to `commands`. Raises RedisError."""
        answers: list[Any] = []
        self._unsent += commands
        self._twice(lambda: self._exchange(answers))
        own = len(answers) - len(commands)
        if refused := [answer for answer in answers[:own] if isinstance(answer, ResponseError)]:
            logger.warning("Redis refused %d of what was sent: %s", len(refused), refused[0])
        for answer in answers[own:]:
            if isinstance(answer, ResponseError):
                raise answer
        return answers[own:]

    def _write(self) -> None:
        self._connection.send_packed_command(self._connection.pack_commands(self._unsent))
        self._unread += self._unsent
        self._unsent = []

    def _exchange(self, answers: list[Any]) -> None:
        self._write()
        while self._unread:
            try:
                answers.append(self._connection.read_response(disconnect_on_error=False))
            except ResponseError as refused:
                answers.append(refused)
            self._unread.pop(0)

    def _twice(self, work: Callable[[], None]) -> None:
        """Redis may have been restarted, or have closed what was idle."""
        try:
            try:
                work()
            except LostConnection:
                self._begin_again()
                work()
        except BaseException:
            self._begin_again()
            self._unsent = []
            raise

    def _begin_again(self) -> None:
        self._connection.disconnect()
        self._unsent = self._unread + self._unsent
        self._unread = []
