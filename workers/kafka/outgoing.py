"""To Kafka: events, and commands that can never be done.

An event is a message as the Kafka protocol binding 1.0 of CloudEvents has it, in structured mode:
the value is the envelope, as everywhere, or with OSDR's words in it where the settings say so. Its
key is the subject, so that what happened to one job lies in one partition, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.core.errors import Problem
from app.core.settings import Settings
from app.events.envelope import MEDIA_TYPE, Event
from app.events.osdr import osdr_envelope
from app.events.types import family_of
from workers.kafka.connection import KafkaUnavailableError, client_options

#: until a message that no broker takes is given up (the log in Postgres keeps it)
_DELIVERY_SECONDS = 15
#: more than any event has; a topic's own limit (max.message.bytes) may be lower
_MOST_BYTES = 8 << 20
_CONTENT_TYPE = f"{MEDIA_TYPE}; charset=UTF-8".encode()


@dataclass(frozen=True, kw_only=True)
class _Outgoing:
    topic: str
    value: bytes
    key: bytes | None = None
    headers: dict[str, bytes] = field(default_factory=dict)


class Sender:
    """One idempotent producer: no gaps and no swaps within a partition."""

    def __init__(self, settings: Settings) -> None:
        self._options: dict[str, Any] = client_options(settings) | {
            "enable.idempotence": True,
            "compression.type": "lz4",
            "delivery.timeout.ms": _DELIVERY_SECONDS * 1000,
            "message.max.bytes": _MOST_BYTES,
        }
        self._events_topic = settings.kafka_events_topic
        self._words = partial(
            osdr_envelope,
            pascal=settings.kafka_casing == "pascal",
            legacy_names=settings.kafka_legacy_names,
        )
        self._dead_topic = f"{settings.kafka_commands_topic}.dead"
        self._producer: Producer | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        """Returns when all are stored. Raises KafkaUnavailableError."""
        self._send([self._of_event(event) for event in events])

    def bury(self, command: bytes, origin: str, problem: Problem) -> None:
        """Into the dead letters, with the problem. Raises KafkaUnavailableError."""
        headers = {"problem": orjson.dumps(problem), "origin": origin.encode()}
        self._send([_Outgoing(topic=self._dead_topic, value=command, headers=headers)])

    def _of_event(self, event: Event) -> _Outgoing:
        return _Outgoing(
            topic=f"{self._events_topic}.{family_of(event.type)}",
            key=event.subject.encode(),
            value=orjson.dumps(self._words(event)),
            headers={"content-type": _CONTENT_TYPE},
        )

    def _send(self, messages: Sequence[_Outgoing]) -> None:
        failures: list[KafkaError] = []

        def note(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        self._producer = self._producer or Producer(self._options)
        try:
            for message in messages:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    headers=dict(message.headers),
                    on_delivery=note,
                )
            left = self._producer.flush(_DELIVERY_SECONDS + 5)
        except (BufferError, KafkaException) as error:
            self._give_up(str(error), error)
        if left or failures:
            self._give_up(failures[0].str() if failures else "it does not answer")

    def _give_up(self, why: str, cause: BaseException | None = None) -> None:
        """The next message is sent by a new producer: this one may hold some of the old."""
        if self._producer is not None:
            self._producer.purge()
        self._producer = None
        raise KafkaUnavailableError(why) from cause
