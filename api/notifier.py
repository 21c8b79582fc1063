"""Who waits for which job: one LISTEN connection for the whole process, polling when it breaks."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager

from app.db.database import Database

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0


class JobNotifier:
    """`subscribe` gives an event that is set at each change of the job's state. A broken connection
    costs latency only: waiters look at the row once a second anyway.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job-notifier", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        self._stop.set()

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiters[job_id].add(event)
        try:
            yield event
        finally:
            self._waiters[job_id].discard(event)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - whatever broke, try again
                logger.warning("the notifier lost Postgres, waiters poll meanwhile: %s", error)
                time.sleep(_PAUSE_SECONDS)

    def _listen(self) -> None:
        with closing(self._database.connect()) as connection:
            connection.execute("LISTEN retort_jobs")
            while not self._stop.is_set():
                for note in connection.notifies(timeout=1.0):
                    if self._loop is not None:
                        self._loop.call_soon_threadsafe(self._wake, note.payload)

    def _wake(self, job_id: str) -> None:
        for event in self._waiters.get(job_id, ()):
            event.set()
