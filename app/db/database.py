"""One process's connections to Postgres: ORM sessions and bare psycopg cursors from one pool."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import Session

from app.db import tables

Cursor = psycopg.Cursor[DictRow]
#: a row's foreign keys need every table known, whichever module was imported first
METADATA = tables.Base.metadata


class Database:
    """Lazy and fork-safe: a child process gets a pool of its own at its first query.

    Each block is one transaction: committed at its end, rolled back when it raises. A connection
    that broke is thrown away, so that a restarted Postgres is found again by the next block.
    """

    def __init__(self, url: str, *, pool_size: int = 20, max_overflow: int = 20) -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
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
                connect_args={"connect_timeout": 5, "application_name": "retort"},
            )
            self._pid = os.getpid()
        return self._engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A psycopg cursor that gives rows as dicts; for the job engine's SQL."""
        connection = self.engine.raw_connection()
        driver: Any = connection.driver_connection
        try:
            with driver.cursor(row_factory=dict_row) as cursor:
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
        options = {**where, **self.url.query, "connect_timeout": 5}
        return psycopg.connect(autocommit=True, row_factory=dict_row, **options)

    def dispose(self) -> None:
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None


def cursor_of(session: Session) -> Cursor:
    """The session's own connection as a psycopg cursor: both write in one transaction.

    What the session still holds in memory is flushed first, so that the cursor sees it.
    """
    session.flush()
    driver: Any = session.connection().connection.driver_connection
    cursor: Cursor = driver.cursor(row_factory=dict_row)
    return cursor
