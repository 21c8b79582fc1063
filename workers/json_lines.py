"""Log lines for machines: one JSON object each, with the ids of what was being done."""

import json
import logging
import re
import socket
from datetime import UTC, datetime
from typing import Any

from app.core.log_fields import log_fields
from app.core.masking import masker
from app.core.settings import get_settings

_JOB = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: the ids under which jobs are sent (workers/dispatch.py): job.attempt and job.attempt.chunk
_TASK_ID = re.compile(rf"({_JOB.pattern})\.(\d+)(?:\.(\d+))?")


class JsonFormatter(logging.Formatter):
    """`ts` (RFC 3339, UTC), `level`, `logger`, `message`, `role`, `host`, `pid`, what of `job_id`,
    `attempt`, `chunk`, `kind`, `correlation_id`, `request_id` is known, and `exception`.

    ASCII only, so that no terminal, pipe or lone surrogate can break a line. Secrets are masked
    before the text is quoted, for a quoted secret may look different.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mask = masker(get_settings())
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "ts": _rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": self._mask(record.getMessage()),
            "host": self._host,
            "pid": record.process,
        }
        for name, value in {**ids_of_task(record), **log_fields()}.items():
            said[name] = self._mask(value) if isinstance(value, str) else value
        if record.exc_info:
            said["exception"] = self._mask(self.formatException(record.exc_info))
        if record.stack_info:
            said["stack"] = self._mask(self.formatStack(record.stack_info))
        return json.dumps(said, default=str)


def _rfc3339(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def ids_of_task(record: logging.LogRecord) -> dict[str, str | int]:
    """Of a line of Celery's about a task of ours, which is written before or after the task runs:
    its job, attempt and chunk, as far as the message tells them.
    """
    told = getattr(record, "data", None)
    if not isinstance(told, dict):
        return {}
    if found := _TASK_ID.fullmatch(str(told.get("id"))):
        ids: dict[str, str | int] = {"job_id": found[1], "attempt": int(found[2])}
        return ids | ({"chunk": int(found[3])} if found[3] else {})
    # chunks and finalizers that the sweeper sent have an id that Celery made
    first = _JOB.match(str(told.get("args", "")).lstrip("(['\""))
    return {"job_id": first[0]} if first else {}


class OnlyJobs(logging.Filter):
    """Of Celery's `received` lines those about jobs: beat's tasks come every two seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or bool(ids_of_task(record))
