"""What the code of an attempt logs while it runs, on its way to Postgres.

A handler on the root logger puts lines into a list; a thread writes them down about once a second,
so that a kill loses no more than that. Nothing here may slow the work or fail it: an outage keeps
the lines for later, a flood is cut off, an error of ours goes to the process's own log.
"""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from app.core.masking import masker
from app.core.settings import Settings
from app.db.database import Database
from app.jobs.log_store import LogLine, Run, append_lines, close_run
from app.jobs.outages import is_outage
from app.jobs.usage import Meter

logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 1.0
#: a chunk is one of up to 200
_CHUNK_SHARE = 10
_MIN_CHUNK_LINES = 50


@dataclass(frozen=True, kw_only=True)
class Limits:
    lines: int
    line_bytes: int

    @classmethod
    def of(cls, settings: Settings, run: Run) -> "Limits":
        lines = settings.max_log_lines
        if run.chunk is not None:
            lines = min(lines, max(_MIN_CHUNK_LINES, lines // _CHUNK_SHARE))
        return cls(lines=lines, line_bytes=settings.max_log_line_bytes)


class _Handler(logging.Handler):
    """Collects lines, masked and cut, until it has `limits.lines`; then counts what it drops."""

    def __init__(self, mask: Callable[[str], str], limits: Limits) -> None:
        super().__init__()
        self._mask = mask
        self._limits = limits
        self._lines: list[LogLine] = []
        self._taken = 0
        self._dropped = 0
        #: whose own messages would be written for ever
        self.deaf_thread: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.deaf_thread:
            return
        try:
            if self._taken >= self._limits.lines:
                self._dropped += 1
                return
            self._taken += 1
            self._lines.append(self._line(record))
        except Exception:  # noqa: BLE001 - a log line must not fail the work; logging says so
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> LogLine:
        text = shorten(self._mask(self.format(record)), self._limits.line_bytes)
        return LogLine(
            at=datetime.fromtimestamp(record.created, UTC),
            level=_level(record.levelno),
            logger=record.name[:200],
            text=text,
        )

    def take(self) -> list[LogLine]:
        """What has gathered since."""
        self.acquire()
        lines, self._lines = self._lines, []
        self.release()
        return lines

    def put_back(self, lines: list[LogLine]) -> None:
        self.acquire()
        self._lines = lines + self._lines
        self.release()

    def said_of_dropped(self) -> list[LogLine]:
        if not self._dropped:
            return []
        text = f"{self._dropped} more lines were dropped: an attempt may log {self._limits.lines}"
        return [LogLine(at=datetime.now(UTC), level="WARNING", logger=__name__, text=text)]


def shorten(text: str, limit: int) -> str:
    """At most about `limit` bytes, beginning and end kept (the end of a trace says what it was);
    without what Postgres does not store.
    """
    data = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    half = limit // 2
    head, tail = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
    return f"{head} ... {len(data) - 2 * half} bytes left out ... {tail}"


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "ERROR"
    if number >= logging.WARNING:
        return "WARNING"
    return "INFO" if number >= logging.INFO else "DEBUG"


class _Writer(threading.Thread):
    """Writes what the handler has gathered, once a second."""

    def __init__(self, db: Database, run: Run, handler: _Handler, meter: Meter) -> None:
        super().__init__(name="job-log", daemon=True)
        self._db, self._run, self._handler, self._meter = db, run, handler, meter
        self._ended = threading.Event()

    def run(self) -> None:
        self._handler.deaf_thread = threading.get_ident()
        while not self._ended.wait(_FLUSH_SECONDS):
            self._meter.look()
            lines = self._handler.take()
            if lines and not self._write(partial(append_lines, self._db, self._run, lines)):
                self._handler.put_back(lines)

    def close(self) -> None:
        """The rest. In an outage it is lost: the job's end does not wait for its log."""
        self._ended.set()
        self.join(timeout=10)
        lines = self._handler.take() + self._handler.said_of_dropped()
        usage = self._meter.read()
        self._write(partial(close_run, self._db, self._run, lines, usage))

    def _write(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except Exception as error:
            logger.warning(
                "log of job %s was not written: %s",
                *(self._run.job_id, error),
                exc_info=not is_outage(error),
            )
            return False
        return True


@contextmanager
def attempt_log(db: Database, settings: Settings, run: Run) -> Iterator[None]:
    """While it is open, what this process logs and warns is kept for the job, and what it uses is
    measured. One at a time in a process.
    """
    handler = _Handler(masker(settings), Limits.of(settings, run))
    handler.setFormatter(logging.Formatter("%(message)s"))
    writer = _Writer(db, run, handler, Meter().start())
    root = logging.getLogger()
    level = root.level
    # whatever the process itself writes: a job's log without its stages is of no use
    root.setLevel(min(level, logging.INFO))
    root.addHandler(handler)
    writer.start()
    try:
        with warnings.catch_warnings():
            # once for each place in each job
            warnings.simplefilter("default")
            warnings.showwarning = _log_warning
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        writer.close()


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any
) -> None:
    del filename
    logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message)
