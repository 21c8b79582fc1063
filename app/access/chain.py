"""The hash chain of the audit log: each entry of a project carries the hash of the one before.

Entries are written without it and sealed a few seconds later, oldest first. To chain an entry
while it is written, every change of a project would have to wait for the commit of the one before,
and a change that holds locks of its own would wait for one that waits for them. Between writing
and sealing an entry is guarded by the trigger and the transaction log of Postgres alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db.database import Cursor, Database

#: what the first entry of a chain has for the hash before
GENESIS = "0" * 64
#: entries in one transaction
_BATCH = 1_000

_COLUMNS: LiteralString = (
    "id, project_id, at, principal, action, resource, details, before_hash, after, request_id, ip,"
    " user_agent, number, prev_hash, hash"
)
_HASHED = (
    *("id", "project_id", "principal", "action", "resource", "details"),
    *("before_hash", "after", "request_id", "ip", "user_agent"),
)


def hash_of_entry(row: Mapping[str, Any], number: int, prev_hash: str) -> str:
    """SHA-256, hex, of everything that an entry says, its place and the hash before it."""
    at: datetime = row["at"]
    told = {name: row[name] for name in _HASHED}
    told |= {"at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    told |= {"number": number, "prev_hash": prev_hash}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def seal_all(db: Database) -> int:
    """Every project's; how many entries. Safe to run twice at once."""
    with db.cursor() as cursor:
        cursor.execute("SELECT DISTINCT project_id FROM audit_log WHERE number IS NULL")
        projects = [row["project_id"] for row in cursor.fetchall()]
    return sum(seal(db, project_id) for project_id in projects)


def seal(db: Database, project_id: UUID, *, wait: bool = False) -> int:
    """What is committed and not sealed yet; how many. `wait`: for somebody who is sealing it now;
    else that is left to them.
    """
    sealed = 0
    while True:
        with db.cursor() as cursor:
            if not lock_chain(cursor, project_id, wait=wait):
                return sealed
            count = _seal_some(cursor, project_id)
        sealed += count
        if count < _BATCH:
            return sealed


def lock_chain(cursor: Cursor, project_id: UUID, *, wait: bool) -> bool:
    """Until the transaction ends nobody else seals this project's entries."""
    key = f"audit:{project_id}"
    if wait:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", (key,))
        return True
    cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 5)) AS mine", (key,))
    row = cursor.fetchone()
    return bool(row and row["mine"])


def head_of(cursor: Cursor, project_id: UUID) -> tuple[int, str]:
    """Number and hash of the newest sealed entry."""
    cursor.execute(
        "SELECT number, hash FROM audit_log WHERE project_id = %s AND number IS NOT NULL"
        " ORDER BY number DESC LIMIT 1",
        (project_id,),
    )
    row = cursor.fetchone()
    return (0, GENESIS) if row is None else (row["number"], row["hash"])


def _seal_some(cursor: Cursor, project_id: UUID) -> int:
    number, prev = head_of(cursor, project_id)
    cursor.execute(
        f"SELECT {_COLUMNS} FROM audit_log WHERE project_id = %s AND number IS NULL"
        " ORDER BY id LIMIT %s",
        (project_id, _BATCH),
    )
    links: list[tuple[UUID, int, str, str]] = []
    for row in cursor.fetchall():
        number += 1
        found = hash_of_entry(row, number, prev)
        links.append((row["id"], number, prev, found))
        prev = found
    if links:
        _store(cursor, links)
    return len(links)


def _store(cursor: Cursor, links: Sequence[tuple[UUID, int, str, str]]) -> None:
    cursor.execute(
        "UPDATE audit_log AS a SET number = new.number, prev_hash = new.prev, hash = new.hash"
        " FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[])"
        " AS new (id, number, prev, hash) WHERE a.id = new.id",
        [list(column) for column in zip(*links, strict=True)],
    )


def sealed_pages(
    db: Database,
    project_id: UUID,
    where: LiteralString = "true",
    values: Mapping[str, Any] | None = None,
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Sealed entries for which `where` holds, in the order of the chain, a page in memory at a
    time.
    """
    after = 0
    while True:
        with db.cursor() as cursor:
            cursor.execute(
                f"SELECT {_COLUMNS} FROM audit_log WHERE project_id = %(project_id)s AND {where}"
                " AND number > %(after)s ORDER BY number LIMIT %(limit)s",
                {**(values or {}), "project_id": project_id, "after": after, "limit": _BATCH},
            )
            rows = cursor.fetchall()
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        after = rows[-1]["number"]
