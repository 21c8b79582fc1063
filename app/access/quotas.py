"""Setting quotas, and showing what is used of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import audit
from app.access.principal import Principal
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.db.database import Cursor
from app.db.projects import ApiKeyRow, ProjectRow
from app.quotas.checking import month_end
from app.quotas.limits import Holder, holders_of
from app.quotas.use import gpu_hours, queued_jobs, stored_bytes

#: what may be set of a project; of a key also the last two
OF_PROJECT = ("queued_jobs", "gpu_hours_per_month", "stored_bytes")
OF_KEY = (*OF_PROJECT, "requests_per_second", "burst")


@dataclass(frozen=True, kw_only=True)
class Use:
    #: project or key
    scope: str
    name: str
    quota: str
    used: float
    #: None: no limit
    limit: float | None
    #: when `used` begins anew
    resets_at: datetime | None = None


def usage(cursor: Cursor, caller: Principal) -> list[Use]:
    """Of the caller's project, and of what it has made itself."""
    holders = holders_of(cursor, caller.project_id, caller.name)
    return [use for holder in holders for use in _uses(cursor, holder)]


def _uses(cursor: Cursor, holder: Holder) -> Iterator[Use]:
    scope = "project" if holder.caller is None else "key"
    name = _name_of(cursor, holder.project_id) if holder.caller is None else holder.caller
    used = {
        "queued_jobs": float(queued_jobs(cursor, holder)),
        "gpu_hours_per_month": round(gpu_hours(cursor, holder), 3),
        "stored_bytes": float(stored_bytes(cursor, holder)),
    }
    for quota, amount in used.items():
        resets_at = month_end(utc_now()) if quota == "gpu_hours_per_month" else None
        limit = getattr(holder.limits, quota)
        yield Use(
            scope=scope, name=name, quota=quota, used=amount, limit=limit, resets_at=resets_at
        )


def _name_of(cursor: Cursor, project_id: UUID) -> str:
    cursor.execute("SELECT name FROM projects WHERE id = %s", (project_id,))
    row = cursor.fetchone()
    return str(row["name"]) if row else str(project_id)


def quotas_of(session: Session, project_id: UUID) -> tuple[ProjectRow, Sequence[ApiKeyRow]]:
    """The project, and its keys by name."""
    keys = session.scalars(
        select(ApiKeyRow)
        .where(ApiKeyRow.project_id == project_id, ApiKeyRow.revoked_at.is_(None))
        .order_by(ApiKeyRow.name, ApiKeyRow.created_at)
    ).all()
    return session.get_one(ProjectRow, project_id), keys


def set_quota(
    session: Session, caller: Principal, key: str | None, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Replace the quota of a key of the caller's project, or (None) of the project; what is None
    has no limit. It holds within a second for jobs, within five for requests. Raises NotFound.
    """
    row: ProjectRow | ApiKeyRow
    if key is None:
        row = session.get_one(ProjectRow, caller.project_id, with_for_update=True)
    else:
        row = _key(session, caller.project_id, key)
    before = dict(row.quota)
    row.quota = {name: value for name, value in wanted.items() if value is not None}
    resource = "project" if key is None else f"keys/{key}"
    audit.record(session, caller, "quotas.put", resource, before=before, after=row.quota)
    return row.quota


def _key(session: Session, project_id: UUID, name: str) -> ApiKeyRow:
    row = session.scalar(
        select(ApiKeyRow)
        .where(
            ApiKeyRow.project_id == project_id,
            ApiKeyRow.name == name.removeprefix("key:"),
            ApiKeyRow.revoked_at.is_(None),
        )
        .order_by(ApiKeyRow.created_at.desc())
        .limit(1)
        .with_for_update()
    )
    if row is None:
        raise NotFound(
            f"there is no key {name!r} in the project",
            remedy="GET /api/v1/admin/quotas names its keys.",
        )
    return row
