"""The loop of the bridge: what is new in the log to Kafka, then commands of a second from it."""

import logging
from functools import partial
from threading import Event as Flag

from kombu.exceptions import OperationalError as BrokerOutage
from redis.exceptions import RedisError

from app.commands.door import LATER, OUTAGES, hand_in
from app.core.errors import RetortError
from app.events.relay import in_rounds, register, relay
from app.jobs.model import Job
from app.resources import Resources
from workers.celery_app import celery_app
from workers.dispatch import send_job
from workers.kafka.connection import KafkaUnavailableError
from workers.kafka.incoming import NotYetError, Receiver
from workers.kafka.outgoing import Sender

logger = logging.getLogger(__name__)

#: the bridge's name among the readers of the log
KAFKA = "kafka"
#: between two tries while Postgres is away
_PAUSE_SECONDS = 2.0


class Bridge:
    """Outages of Kafka, Postgres and the broker lose nothing: it goes on where it was."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._sender = Sender(resources.settings)
        self._receiver = Receiver(resources.settings)
        self._pascal = resources.settings.kafka_casing == "pascal"
        self._is_registered = False
        self._trouble = ""

    def run(self, stop: Flag) -> None:
        """Until `stop` is set; within about a second where nothing hangs."""
        try:
            while not stop.is_set():
                self.round(stop)
        finally:
            self._receiver.close()

    def round(self, stop: Flag) -> None:
        self._touch()
        try:
            self._tell()
        except OUTAGES as error:
            self._say(f"Postgres does not answer: {error}")
            stop.wait(_PAUSE_SECONDS)
        except KafkaUnavailableError as error:
            self._say(f"events wait for Kafka: {error}")
        else:
            self._say("")
        self._receiver.take(self._hand_in)

    def _tell(self) -> None:
        database = self._resources.database
        if not self._is_registered:
            register(database, KAFKA)
            self._is_registered = True
        sent = in_rounds(partial(relay, database, KAFKA, self._sender.deliver))
        if sent:
            logger.info("%d events sent", sent)

    def _hand_in(self, command: bytes, origin: str) -> None:
        try:
            hand_in(self._resources, command, _send, pascal=self._pascal)
        except (*LATER, *OUTAGES) as error:
            raise NotYetError(str(error)) from error
        except RetortError as error:
            self._bury(command, origin, error)

    def _bury(self, command: bytes, origin: str, error: RetortError) -> None:
        try:
            self._sender.bury(command, origin, error.problem())
        except KafkaUnavailableError as outage:
            raise NotYetError(str(outage)) from outage

    def _touch(self) -> None:
        """Health checks look at the file's age."""
        file = self._resources.settings.beat_file
        if file is not None:
            file.touch()

    def _say(self, trouble: str) -> None:
        """Once when it begins, once when it is over."""
        if trouble and not self._trouble:
            logger.warning(trouble)
        elif self._trouble and not trouble:
            logger.info("events go to Kafka again")
        self._trouble = trouble


def _send(job: Job) -> None:
    try:
        send_job(celery_app, job)
    except (BrokerOutage, RedisError) as error:
        logger.warning("job %s is stored; the sweeper publishes it: %s", job.id, error)
