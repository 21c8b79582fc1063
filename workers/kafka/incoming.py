"""From Kafka: commands, by a consumer group.

A place in a partition is committed after every command before it became a job or a dead letter.
Killed in between, the same commands come again, and their own ids make them the same jobs. What is
well but cannot be done now holds up what is behind it in its partition, and nothing else.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from app.core.settings import Settings
from workers.kafka.connection import GROUP, client_options

logger = logging.getLogger(__name__)

_BATCH = 50
#: until a command that must wait is tried again
_HOLD_SECONDS = 5.0

Place = tuple[str, int]
#: of a command (and topic/partition/offset): handed in or buried when it returns
Handle = Callable[[bytes, str], None]


class NotYetError(RuntimeError):
    """The command is to be kept, and tried later."""


class Receiver:
    """A member of the group; another takes its partitions over when it dies."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka_commands_topic
        options: dict[str, Any] = client_options(settings) | {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            # what a dead member held is another's after so long
            "session.timeout.ms": 15_000,
            "allow.auto.create.topics": True,
        }
        self._consumer = Consumer(options)
        self._consumer.subscribe([self._topic])
        self._held: dict[Place, float] = {}
        self._trouble = ""

    def take(self, handle: Handle, *, seconds: float = 1.0) -> int:
        """What comes within `seconds`; how many commands were dealt with. `handle` may raise
        NotYetError.
        """
        self._resume()
        done: dict[Place, int] = {}
        held: set[Place] = set()
        number = 0
        for message in self._consumer.consume(_BATCH, seconds):
            if self._is_trouble(message):
                continue
            place = (self._topic, _number(message.partition()))
            if place in held:  # it comes again after the one that waits
                continue
            offset = _number(message.offset())
            try:
                handle(_value(message), f"{self._topic}/{place[1]}/{offset}")
            except NotYetError as error:
                logger.info("the command at %s/%d waits: %s", place, offset, error)
                held.add(place)
                self._hold(place, offset)
                continue
            done[place] = offset + 1
            number += 1
        self._commit(done)
        return number

    def close(self) -> None:
        """Leave the group: others need not wait for this member."""
        self._consumer.close()

    def _hold(self, place: Place, offset: int) -> None:
        self._held[place] = time.monotonic() + _HOLD_SECONDS
        try:
            self._consumer.pause([TopicPartition(*place)])
            self._consumer.seek(TopicPartition(*place, offset))
        except KafkaException as error:  # the partition is another's now, who begins with it
            logger.info("%s is not ours any more: %s", place, error)

    def _resume(self) -> None:
        now = time.monotonic()
        due = {place for place, until in self._held.items() if until <= now}
        ours = {(part.topic, part.partition) for part in self._consumer.assignment()}
        for place in due:
            del self._held[place]
        if due & ours:
            self._consumer.resume([TopicPartition(*place) for place in due & ours])

    def _commit(self, done: Mapping[Place, int]) -> None:
        if not done:
            return
        places = [TopicPartition(*place, offset) for place, offset in done.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            logger.warning("commands that are jobs already will come again: %s", error)

    def _is_trouble(self, message: Message) -> bool:
        error = message.error()
        said = error.str() if error is not None else ""
        if said and said != self._trouble:
            logger.warning("no commands from %s: %s", self._topic, said)
        self._trouble = said
        return error is not None


def _number(value: int | None) -> int:
    """A message that was read has one."""
    if value is None:
        raise ValueError("a message without a place")
    return value


def _value(message: Message) -> bytes:
    """Empty for a message without one."""
    value = message.value()
    return value if isinstance(value, bytes) else b""
