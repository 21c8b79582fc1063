"""What each arm did, counted in memory by every gateway and added up in Postgres each second."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from uuid import UUID

from app.core.clock import utc_now
from app.db.database import Database
from app.endpoints.latency import N_BUCKETS, bucket_of_ms
from app.endpoints.routing import Mode

logger = logging.getLogger(__name__)

#: (endpoint, revision number, model, mode, minute since 1970)
Key = tuple[UUID, int, UUID, Mode, int]

#: for so many days the minutes are kept
KEEP_DAYS = 90

_UPSERT: LiteralString = """
INSERT INTO endpoint_minutes AS m (endpoint_id, revision, model_id, mode, minute,
  requests, inputs, errors, refused, cached, out_of_domain, fallbacks, latency)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (endpoint_id, revision, model_id, mode, minute) DO UPDATE SET
  requests = m.requests + excluded.requests,
  inputs = m.inputs + excluded.inputs,
  errors = m.errors + excluded.errors,
  refused = m.refused + excluded.refused,
  cached = m.cached + excluded.cached,
  out_of_domain = m.out_of_domain + excluded.out_of_domain,
  fallbacks = m.fallbacks + excluded.fallbacks,
  latency = ARRAY(
    SELECT coalesce(a, 0) + coalesce(b, 0)
    FROM unnest(m.latency, excluded.latency) WITH ORDINALITY AS t(a, b, place) ORDER BY place)
"""


@dataclass(slots=True)
class Counts:
    """Of one arm in one minute."""

    requests: int = 0
    inputs: int = 0
    errors: int = 0
    refused: int = 0
    cached: int = 0
    out_of_domain: int = 0
    fallbacks: int = 0
    #: of the requests that were computed: fewer than `requests` where some came from the cache
    latency: list[int] = field(default_factory=lambda: [0] * N_BUCKETS)

    def add(self, other: "Counts") -> None:
        self.requests += other.requests
        self.inputs += other.inputs
        self.errors += other.errors
        self.refused += other.refused
        self.cached += other.cached
        self.out_of_domain += other.out_of_domain
        self.fallbacks += other.fallbacks
        self.latency = [a + b for a, b in zip(self.latency, other.latency, strict=True)]


class Meter:
    """For any number of threads; an observation costs a few microseconds and waits for nothing."""

    def __init__(self, *, seconds: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._counts: dict[Key, Counts] = {}
        self._seconds = seconds

    def observe(
        self,
        endpoint_id: UUID,
        revision: int,
        model_id: UUID,
        mode: Mode,
        *,
        milliseconds: float,
        inputs: int = 1,
        refused: int = 0,
        cached: int = 0,
        out_of_domain: int = 0,
        error: bool = False,
        fell_back: bool = False,
    ) -> None:
        """One request to one arm. `error`: it gave no answer for a reason of ours; `fell_back`: the
        fallback stepped in for it (that one's own request is observed as mode `fallback`);
        `refused`, `cached`, `out_of_domain`: of its inputs.

        A request with cached inputs has no place among the latencies: how many an arm has says how
        long it has been asked and whether the gateway reads the cache for it (for a shadow it does
        not), nothing of the model.
        """
        key = (endpoint_id, revision, model_id, mode, int(self._seconds() // 60))
        bucket = bucket_of_ms(milliseconds)
        with self._lock:
            counts = self._counts.get(key)
            if counts is None:
                counts = self._counts[key] = Counts()
            counts.requests += 1
            counts.inputs += inputs
            counts.errors += error
            counts.refused += refused
            counts.cached += cached
            counts.out_of_domain += out_of_domain
            counts.fallbacks += fell_back
            if not cached:
                counts.latency[bucket] += 1

    def flush(self, database: Database) -> int:
        """Adds what was counted since the last flush to the database, in one transaction; how many
        rows. When that fails, the counts are kept for the next flush and the error is raised.
        """
        with self._flushing:
            with self._lock:
                taken, self._counts = self._counts, {}
            if not taken:
                return 0
            try:
                with database.cursor() as cursor:
                    # in one order everywhere, so that gateways never wait for each other in a ring
                    cursor.executemany(_UPSERT, [_row(key, taken[key]) for key in sorted(taken)])
            except BaseException:
                self._give_back(taken)
                raise
            return len(taken)

    def _give_back(self, taken: dict[Key, Counts]) -> None:
        with self._lock:
            for key, counts in taken.items():
                known = self._counts.get(key)
                if known is None:
                    self._counts[key] = counts
                else:
                    known.add(counts)


class MeterThread:
    """Flushes a meter each second, and a last time when it is closed."""

    def __init__(self, meter: Meter, database: Database, *, every_seconds: float = 1.0) -> None:
        self._meter, self._database = meter, database
        self._every = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-meter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Call it when no request is left; what was counted is stored before it returns."""
        self._ended.set()
        self._thread.join()
        self._flush()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._flush()

    def _flush(self) -> None:
        try:
            self._meter.flush(self._database)
        except Exception as error:  # noqa: BLE001 - whatever it is, the counts are kept and tried again
            logger.warning("endpoint metrics are stored later: %s", error)


def forget(database: Database, *, days: int = KEEP_DAYS) -> int:
    """Minutes older than so many days; how many rows went."""
    with database.cursor() as cursor:
        cursor.execute(
            "DELETE FROM endpoint_minutes WHERE minute < %s", (utc_now() - timedelta(days=days),)
        )
        return cursor.rowcount


def _row(key: Key, counts: Counts) -> tuple[object, ...]:
    *arm, minute = key
    return (
        *arm,
        datetime.fromtimestamp(60 * minute, UTC),
        counts.requests,
        counts.inputs,
        counts.errors,
        counts.refused,
        counts.cached,
        counts.out_of_domain,
        counts.fallbacks,
        counts.latency,
    )
