"""One process's connections to Postgres: ORM sessions and bare psycopg cursors from one pool."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy.exc
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg.rows import DictRow, dict_row
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import Session

from app.db import tables
from app.db.audit_entries import telling

Cursor = psycopg.Cursor[DictRow]
#: a row's foreign keys need every table known, whichever module was imported first
METADATA = tables.Base.metadata


#: of every connection with transactions, in `pg_stat_activity`
APPLICATION_NAME = "retort"

#: a server whose machine or network is gone sends no word of it: without these a statement would
#: wait for a quarter of an hour, and for two hours when only the answer is missing. Seconds; the
#: last one milliseconds (Linux). All below the lease of 60 s
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


class Database:
    """Lazy and fork-safe: a child process gets a pool of its own at its first query.

    Each block is one transaction: committed at its end, rolled back when it raises. A connection
    that broke is thrown away, so that a restarted Postgres is found again by the next block.

    A process that stands still in a block (a frozen machine, SIGSTOP) would keep its locks for as
    long: after `idle_in_transaction_seconds` Postgres ends the transaction (amid an `executemany`
    the sweeper does), and the block, should it ever go on, raises OperationalError. Blocks are for
    statements; long work stands outside.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 20,
        max_overflow: int = 20,
        idle_in_transaction_seconds: float = 60.0,
    ) -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        self._idle_ms = max(1, round(idle_in_transaction_seconds * 1000))
        self._pool_size = pool_size
        self._max_overflow = max_overflow
        self._engine: Engine | None = None
        self._pid = 0

    @property
    def engine(self) -> Engine:
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                self._engine.dispose(close=False)  # the parent still uses these sockets
            self._engine = create_engine(
                self.url,
                pool_size=self._pool_size,
                max_overflow=self._max_overflow,
                pool_recycle=1800,
                connect_args={
                    **_PATIENCE,
                    "application_name": APPLICATION_NAME,
                    "options": self.options(),
                },
            )
            self._pid = os.getpid()
        return self._engine

    def options(self, *more: str) -> str:
        """Of the server, for connections of transactions; what the URL asks for comes last."""
        asked = self.url.normalized_query.get("options", ())
        ours = f"-cidle_in_transaction_session_timeout={self._idle_ms}"
        return " ".join((ours, *more, *asked))

    @contextmanager
    def session(self) -> Iterator[Session]:
        with (
            _standstill_is_an_outage(),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
            telling(lambda: cursor_of(session)),
        ):
            yield session

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A psycopg cursor that gives rows as dicts; for the job engine's SQL."""
        connection = self.engine.raw_connection()
        driver: Any = connection.driver_connection
        try:
            with _standstill_is_an_outage():
                with driver.cursor(row_factory=dict_row) as cursor, telling(lambda: cursor):
                    yield cursor
                driver.commit()
        except BaseException as error:
            if driver.closed or isinstance(error, psycopg.OperationalError):
                connection.invalidate()
            else:
                driver.rollback()
            raise
        finally:
            connection.close()

    def connect(self) -> psycopg.Connection[DictRow]:
        """A connection outside the pool (LISTEN), autocommit; the caller closes it."""
        where = self.url.translate_connect_args(username="user", database="dbname")
        options = {**where, **self.url.query, **_PATIENCE}
        return psycopg.connect(autocommit=True, row_factory=dict_row, **options)

    def dispose(self) -> None:
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None


@contextmanager
def _standstill_is_an_outage() -> Iterator[None]:
    """To psycopg the end of a transaction that stood still is an internal error."""
    try:
        yield
    except IdleInTransactionSessionTimeout as error:
        raise psycopg.OperationalError(str(error)) from error
    except sqlalchemy.exc.InternalError as error:
        if not isinstance(error.orig, IdleInTransactionSessionTimeout):
            raise
        raise sqlalchemy.exc.OperationalError(error.statement, error.params, error.orig) from error


def cursor_of(session: Session) -> Cursor:
    """The session's own connection as a psycopg cursor: both write in one transaction.

    What the session still holds in memory is flushed first, so that the cursor sees it.
    """
    session.flush()
    driver: Any = session.connection().connection.driver_connection
    cursor: Cursor = driver.cursor(row_factory=dict_row)
    return cursor
