"""`python -m workers.kafka`: the bridge between Retort and the Kafka of RETORT_KAFKA_BOOTSTRAP.
Several may run; they share the commands, and one at a time sends the events.
"""

import importlib.util
import logging
import sys
from threading import Event

from app.resources import get_resources
from workers.logs import configure_logging
from workers.stop_signals import on_stop

logger = logging.getLogger(__name__)


def main() -> int:
    settings = get_resources().settings
    configure_logging(settings, role="kafka")
    if not settings.kafka_bootstrap:
        logger.error("RETORT_KAFKA_BOOTSTRAP names no Kafka; see docs/kafka.md")
        return 2
    if importlib.util.find_spec("confluent_kafka") is None:
        logger.error("the Kafka client is not installed: pip install '.[kafka]'")
        return 2
    from workers.kafka.bridge import Bridge

    stop = Event()
    on_stop(stop.set)
    logger.info("bridge to %s", settings.kafka_bootstrap)
    Bridge(get_resources()).run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
