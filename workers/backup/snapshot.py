"""One moment of the database: what the dump is made of, and what the manifest says of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from app.core.errors import InvalidInput
from app.db.database import Database

_DIVIDED: LiteralString = (
    "SELECT id, fanned_out_at FROM jobs WHERE state = 'running' AND fanned_out_at IS NOT NULL"
)
#: columns that name a blob
_NAMED: LiteralString = (
    "SELECT storage_key AS key FROM files UNION SELECT manifest_key FROM datasets"
    " WHERE manifest_key IS NOT NULL UNION SELECT manifest_key FROM models"
    " UNION SELECT storage_key FROM splits"
)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Valid, for pg_dump, while the block lasts that gave it."""

    id: str
    server_major: int
    alembic_revision: str
    jobs: dict[str, int]
    #: running divided jobs, and when they were divided
    divided: dict[UUID, datetime]
    #: keys of the blobs that rows name
    named: frozenset[str]


@contextmanager
def snapshot(db: Database) -> Iterator[Snapshot]:
    """Raises InvalidInput for a database without our tables."""
    with db.connect() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if _value(connection, "SELECT to_regclass('public.alembic_version')::text") is None:
            raise InvalidInput(
                "the database has no tables of Retort",
                remedy="See that RETORT_DATABASE_URL names the cluster's; for `make up`'s cluster"
                " add --embedded.",
            )
        yield Snapshot(
            id=str(_value(connection, "SELECT pg_export_snapshot()")),
            server_major=server_major(connection),
            alembic_revision=str(_value(connection, "SELECT version_num FROM alembic_version")),
            jobs=jobs_by_state(connection),
            divided=divided(connection),
            named=frozenset(row["key"] for row in connection.execute(_NAMED)),
        )


def server_major(connection: Connection[DictRow]) -> int:
    return connection.info.server_version // 10_000


def jobs_by_state(connection: Connection[DictRow]) -> dict[str, int]:
    rows = connection.execute("SELECT state, count(*) AS n FROM jobs GROUP BY state ORDER BY state")
    return {row["state"]: row["n"] for row in rows}


def divided(connection: Connection[DictRow]) -> dict[UUID, datetime]:
    """Running divided jobs, and when they were divided."""
    return {row["id"]: row["fanned_out_at"] for row in connection.execute(_DIVIDED)}


def _value(connection: Connection[DictRow], query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else next(iter(row.values()))
