"""Accepting many jobs in one transaction: the flush to the disk is paid for once.

Each is checked for itself, and one that is refused costs its neighbours nothing: only jobs whose
preparation reads are stored here, so a refusal leaves nothing behind in the transaction. What is
not of that sort (it needs other jobs, its idempotency key comes twice in the batch) is handed back
to go alone, through `submit_job`; so is the whole batch when the database refuses it for another
reason than an outage, since then nothing of it is stored and nobody knows whose fault it was.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db.database import Cursor, Database, cursor_of
from app.jobs.outages import is_outage
from app.jobs.store import fetch_job
from app.jobs.submit import (
    IdempotencyKey,
    NewJob,
    Prepare,
    Submitted,
    check_hours,
    in_progress,
    insert_jobs,
    mismatch,
)
from app.jobs.waiting_room import WaitingRoom

logger = logging.getLogger(__name__)


class _Alone(Enum):
    ALONE = "alone"


#: nothing of it is stored; `submit_job` can
ALONE: Final = _Alone.ALONE
Fate = Submitted | Exception | _Alone


@dataclass(frozen=True, kw_only=True)
class Order:
    """A job to accept. `prepare` only reads; it raises what is wrong with the request."""

    new: NewJob
    prepare: Prepare
    idempotency: IdempotencyKey | None = None


def submit_together(db: Database, orders: Sequence[Order], *, room: WaitingRoom) -> list[Fate]:
    """For each, in order: the stored job, what it was refused for, or ALONE.

    Raises an outage of the database, which is everybody's; what was stored then is not known, as
    after any commit that is not answered.
    """
    with Session(db.engine, expire_on_commit=False, info={"together": {}}) as session:
        batch = _Batch(session, orders, room)
        try:
            fates = batch.store()
        except (psycopg.Error, SQLAlchemyError) as error:
            if is_outage(error):
                raise
            logger.warning("%d jobs are stored one by one: %s", len(orders), error)
            return [ALONE] * len(orders)
        session.commit()
        return fates


class _Batch:
    def __init__(self, session: Session, orders: Sequence[Order], room: WaitingRoom) -> None:
        self._session = session
        self._cursor = cursor_of(session)
        self._orders = orders
        self._room = room
        #: by place in the batch
        self._fates: dict[int, Fate] = {}
        #: admitted and not in the table yet, so that the waiting room cannot count them there
        self._admitted: Counter[tuple[UUID, str]] = Counter()

    def store(self) -> list[Fate]:
        self._replay()
        prepared: dict[int, NewJob] = {}
        for place, order in enumerate(self._orders):
            if place not in self._fates:
                self._prepare(place, order, prepared)
        if prepared:
            jobs = insert_jobs(self._cursor, list(prepared.values()))
            for place, job in zip(prepared, jobs, strict=True):
                self._fates[place] = Submitted(job=job, replayed=False)
            self._remember(prepared)
        return [self._fates[place] for place in range(len(self._orders))]

    def _prepare(self, place: int, order: Order, prepared: dict[int, NewJob]) -> None:
        caller = (order.new.project_id, order.new.created_by)
        try:
            self._room.enter(self._cursor, *caller, unseen=self._admitted[caller])
            new, attach = order.prepare(self._session, order.new)
            check_hours(self._cursor, new)
        except (psycopg.Error, SQLAlchemyError):
            raise  # the transaction is of no more use
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this one's
            self._fates[place] = error
            return
        if attach is not None or new.needs:
            self._fates[place] = ALONE
            return
        prepared[place] = new
        self._admitted[caller] += 1

    # ---- idempotency keys

    def _replay(self) -> None:
        """Fates of those whose key was used before, or is in use; the other keys are locked."""
        first = self._first_of_each_key()
        if not first:
            return
        locked = _lock(self._cursor, first)
        known = _known(self._cursor, first)
        for idem, place in first.items():
            if idem not in locked:
                self._fates[place] = in_progress()
            elif idem in known:
                self._fates[place] = self._first_answer(place, *known[idem])

    def _first_of_each_key(self) -> dict[tuple[str, str], int]:
        places: dict[tuple[str, str], int] = {}
        for place, order in enumerate(self._orders):
            if order.idempotency is None:
                continue
            idem = (order.idempotency.scope, order.idempotency.key)
            if places.setdefault(idem, place) != place:
                self._fates[place] = ALONE  # when the first is stored it will find it
        return places

    def _first_answer(self, place: int, body_hash: str, made: UUID) -> Fate:
        order = self._orders[place]
        if order.idempotency is None or body_hash != order.idempotency.body_hash:
            return mismatch()
        job = fetch_job(self._cursor, order.new.project_id, made)
        return Submitted(job=job, replayed=True)

    def _remember(self, stored: Iterable[int]) -> None:
        rows = [
            (idem.scope, idem.key, idem.body_hash, self._orders[place].new.id)
            for place in stored
            if (idem := self._orders[place].idempotency) is not None
        ]
        if rows:
            self._cursor.execute(
                "INSERT INTO idempotency_keys (scope, key, body_hash, resource_id)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::uuid[])",
                [list(column) for column in zip(*rows, strict=True)],
            )


def _lock(cursor: Cursor, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those that are ours until the transaction ends."""
    cursor.execute(
        "SELECT scope, key FROM unnest(%s::text[], %s::text[]) AS asked (scope, key)"
        " WHERE pg_try_advisory_xact_lock(hashtextextended(scope || E'\\n' || key, 0))",
        [list(column) for column in zip(*keys, strict=True)],
    )
    return {(row["scope"], row["key"]) for row in cursor.fetchall()}


def _known(
    cursor: Cursor, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, UUID]]:
    """A statement of its own, after the locks: what was committed until then is seen."""
    cursor.execute(
        "SELECT scope, key, body_hash, resource_id FROM idempotency_keys"
        " JOIN unnest(%s::text[], %s::text[]) AS asked (scope, key) USING (scope, key)",
        [list(column) for column in zip(*keys, strict=True)],
    )
    return {
        (row["scope"], row["key"]): (row["body_hash"], row["resource_id"])
        for row in cursor.fetchall()
    }
