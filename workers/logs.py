"""Log lines of every process of ours: text for people or JSON for machines; secrets masked."""

import logging
import sys
import threading
from types import TracebackType

from app.core.log_fields import name_process
from app.core.masking import masker
from app.core.settings import Settings, get_settings
from workers.json_lines import JsonFormatter, OnlyJobs

logger = logging.getLogger(__name__)

_FORMAT = "%(asctime)s %(levelname)-7s %(processName)s[%(process)d] %(name)s: %(message)s"
#: of Celery, at INFO: a worker's parent received a message
_RECEIVED = "celery.worker.strategy"
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")


class MaskingFormatter(logging.Formatter):
    """What a line says, without API keys, passwords, tokens and the values of secret settings."""

    def __init__(self, form: str = _FORMAT) -> None:
        super().__init__(form)
        self._mask = masker(get_settings())

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


def configure_logging(settings: Settings, *, role: str) -> None:
    """Of this process, whose `role` stands in each line of JSON; libraries write through it too."""
    name_process(role)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else MaskingFormatter())
    # its own: while a job runs the root logger lets more through, for the job's log
    handler.setLevel(settings.log_level)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for noisy in (_RECEIVED, "kombu", "lightning", "matplotlib", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if settings.log_format == "json":
        _leave_nothing_as_text()


def _leave_nothing_as_text() -> None:
    """What is else printed past the handlers: warnings, and the error that ends a process."""
    received = logging.getLogger(_RECEIVED)
    received.setLevel(logging.INFO)
    received.filters[:] = [OnlyJobs()]
    logging.captureWarnings(capture=True)
    sys.excepthook = _tell_of_the_end
    threading.excepthook = _tell_of_a_thread


def _tell_of_the_end(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("the process ends: %s", error, exc_info=(kind, error, trace))


def _tell_of_a_thread(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread else "unknown"
    error = told.exc_value or told.exc_type()
    exc_info = (told.exc_type, error, told.exc_traceback)
    logger.error("the thread %s ends: %s", name, error, exc_info=exc_info)


def adopt_uvicorn(*, access_log: bool) -> None:
    """Its lines go through our handler. `access_log`: a line for each request, which takes a
    seventh of a cached prediction.
    """
    for name in _UVICORN:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.getLogger("uvicorn.access").propagate = access_log
