"""Log lines of workers: time, level, process, job; one line each."""

import logging

_FORMAT = "%(asctime)s %(levelname)-7s %(processName)s[%(process)d] %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    logging.basicConfig(level=level, format=_FORMAT, force=True)
    for noisy in ("celery.worker.strategy", "kombu", "lightning", "matplotlib", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
