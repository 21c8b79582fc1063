"""Reading the audit log: a page, newest first; all of it, oldest first, for an export."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.access.chain import seal, sealed_pages
from app.core.csv_cells import safe_cell
from app.db.database import Database

#: the order of an entry's members, also of the columns of a CSV
FIELDS: tuple[LiteralString, ...] = (
    *("number", "id", "at", "principal", "action", "resource", "ip", "user_agent", "request_id"),
    *("details", "before_hash", "after", "prev_hash", "hash"),
)
_COLUMNS = ", ".join(FIELDS)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """All that is given must hold."""

    #: e.g. key:plate-reader
    principal: str | None = None
    #: with what stands below it: `registry` also means registry.aliases.promoted
    action: str | None = None
    #: with what stands below it: `registry/sol` also means registry/sol/aliases/champion
    resource: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> tuple[LiteralString, dict[str, Any]]:
        """Conditions, and the values that they name."""
        conditions: list[LiteralString] = ["true"]
        if self.principal is not None:
            conditions.append("principal = %(principal)s")
        if self.action is not None:
            conditions.append("(action = %(action)s OR starts_with(action, %(action)s || '.'))")
        if self.resource is not None:
            conditions.append(
                "(resource = %(resource)s OR starts_with(resource, %(resource)s || '/'))"
            )
        if self.since is not None:
            conditions.append("at >= %(since)s")
        if self.until is not None:
            conditions.append("at < %(until)s")
        return " AND ".join(conditions), dict(vars(self))


def list_entries(
    db: Database,
    project_id: UUID,
    wanted: AuditFilter,
    *,
    limit: int,
    before_id: UUID | None = None,
) -> list[dict[str, Any]]:
    """Newest first."""
    where, values = wanted.where()
    if before_id is not None:
        where += " AND id < %(before_id)s"
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM audit_log WHERE project_id = %(project_id)s AND {where}"
            " ORDER BY id DESC LIMIT %(limit)s",
            {**values, "project_id": project_id, "before_id": before_id, "limit": limit},
        )
        return cursor.fetchall()


def all_entries(
    db: Database, project_id: UUID, wanted: AuditFilter
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """In the order of the chain, a page in memory at a time. What waits is sealed first; what is
    written meanwhile comes, or not.
    """
    seal(db, project_id, wait=True)
    yield from sealed_pages(db, project_id, *wanted.where())


def as_jsonl(pages: Iterator[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """One object a line, exactly as hashed."""
    for rows in pages:
        lines = (json.dumps(_plain(row), ensure_ascii=False, default=str) for row in rows)
        yield "".join(f"{line}\n" for line in lines).encode()


def as_csv(pages: Iterator[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """With a header; JSON in `details` and `after`; safe to open in a spreadsheet."""
    yield (",".join(FIELDS) + "\r\n").encode()
    for rows in pages:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(row[name]) for name in FIELDS] for row in rows)
        yield text.getvalue().encode()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name].isoformat() if name == "at" else row[name] for name in FIELDS}


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return safe_cell(str(value))
