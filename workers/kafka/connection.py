"""How the settings name a Kafka cluster to librdkafka (its CONFIGURATION.md has every option)."""

import logging
from typing import Any

from app.core.settings import Settings

logger = logging.getLogger(__name__)

#: the consumer group of all bridges of an installation
GROUP = "retort"


class KafkaUnavailableError(RuntimeError):
    """Not everything was delivered; what was, may be there."""


def client_options(settings: Settings) -> dict[str, Any]:
    """What producers and consumers share."""
    options = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": GROUP,
        "security.protocol": settings.kafka_security,
        # brokers close what is idle
        "log.connection.close": False,
        "logger": logger,
    }
    if settings.kafka_ca_file:
        options["ssl.ca.location"] = settings.kafka_ca_file
    if settings.kafka_security.startswith("SASL"):
        options["sasl.mechanisms"] = settings.kafka_sasl_mechanism
        options["sasl.username"] = settings.kafka_username
        options["sasl.password"] = settings.kafka_password
    return options
