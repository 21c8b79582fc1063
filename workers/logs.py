"""Log lines of workers: time, level, process, job; one line each; secrets masked."""

import logging

from app.core.masking import masker
from app.core.settings import get_settings

_FORMAT = "%(asctime)s %(levelname)-7s %(processName)s[%(process)d] %(name)s: %(message)s"


class MaskingFormatter(logging.Formatter):
    """What a line says, without API keys, passwords, tokens and the values of secret settings."""

    def __init__(self, form: str = _FORMAT) -> None:
        super().__init__(form)
        self._mask = masker(get_settings())

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


def configure_logging(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter())
    # its own: while a job runs the root logger lets more through, for the job's log
    handler.setLevel(level)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("celery.worker.strategy", "kombu", "lightning", "matplotlib", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
