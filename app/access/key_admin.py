"""What administrators do with API keys: make, list, rotate, revoke. Each change is audited."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.access import audit
from app.access.keys import KeySpec, add_key, principal_of, role_of
from app.access.principal import Principal
from app.access.rights import Right, rights_of
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, NotFound
from app.db.projects import ApiKeyRow


def list_keys(
    session: Session, project_id: UUID, *, limit: int, before_id: UUID | None = None
) -> Sequence[ApiKeyRow]:
    """Newest first, those that have ended too."""
    query = select(ApiKeyRow).where(ApiKeyRow.project_id == project_id)
    if before_id is not None:
        query = query.where(ApiKeyRow.id < before_id)
    return session.scalars(query.order_by(ApiKeyRow.id.desc()).limit(limit)).all()


def get_key(session: Session, project_id: UUID, prefix: str, *, lock: bool = False) -> ApiKeyRow:
    """Raises NotFound."""
    query = select(ApiKeyRow).where(ApiKeyRow.project_id == project_id, ApiKeyRow.prefix == prefix)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(
            f"there is no API key {prefix}", remedy="GET /api/v1/keys lists the prefixes of all."
        )
    return row


def make_key(
    session: Session, caller: Principal, spec: KeySpec, *, request_id: str | None = None
) -> tuple[ApiKeyRow, str]:
    """The row, and the text that is shown this once. Raises Forbidden (`beyond_own_rights`) and
    Conflict (`key_name_taken`).
    """
    _check_within_own(caller, spec)
    _one_change_at_a_time(session, caller.project_id)
    _check_name(session, caller.project_id, spec.name)
    spec = replace(spec, project_id=caller.project_id, created_by=caller.name)
    row, secret = add_key(session, spec)
    session.refresh(row)
    audit.record(
        session, caller, "keys.create", f"keys/{row.prefix}", request_id=request_id, **told(row)
    )
    return row, secret


def rotate_key(
    session: Session,
    caller: Principal,
    prefix: str,
    *,
    overlap: timedelta,
    expires_at: datetime | None = None,
    request_id: str | None = None,
) -> tuple[ApiKeyRow, str]:
    """A new key that may do the same; the old one works for `overlap` more. Left out, the new one
    lasts as long as the old one was made for. Raises as `make_key`, and Conflict (`key_ended`).
    """
    _one_change_at_a_time(session, caller.project_id)
    old = get_key(session, caller.project_id, prefix, lock=True)
    now = utc_now()
    if state_of(old, now) != "active":
        raise Conflict(f"the key {prefix} is {state_of(old, now)}", code="key_ended")
    spec = KeySpec(
        name=old.name,
        role=role_of(old),
        scopes=old.scopes,
        networks=old.networks,
        expires_at=expires_at or _as_long_again(old, now),
        project_id=old.project_id,
        created_by=caller.name,
    )
    _check_within_own(caller, spec)
    row, secret = add_key(session, spec)
    # its rate and quota are the key's, not the secret's: the name goes on with them
    row.quota = dict(old.quota)
    until = now + overlap
    old.expires_at = until if old.expires_at is None else min(until, old.expires_at)
    old.replaced_by_id = row.id
    session.flush()
    session.refresh(row)
    audit.record(
        session,
        caller,
        "keys.rotate",
        f"keys/{prefix}",
        request_id=request_id,
        replaced_by=row.prefix,
        overlap_seconds=overlap.total_seconds(),
    )
    return row, secret


def revoke_key(
    session: Session, caller: Principal, prefix: str, *, request_id: str | None = None
) -> ApiKeyRow:
    """Once more changes nothing. Raises Conflict (`last_admin_key`)."""
    _one_change_at_a_time(session, caller.project_id)
    row = get_key(session, caller.project_id, prefix, lock=True)
    if row.revoked_at is not None:
        return row
    if _gives_keys(row) and not _others_give_keys(session, row):
        raise Conflict(
            f"{prefix} ({row.name}) is the last key that can give keys", code="last_admin_key"
        )
    row.revoked_at = func.now()
    session.flush()
    session.refresh(row)
    audit.record(
        session, caller, "keys.revoke", f"keys/{prefix}", request_id=request_id, **told(row)
    )
    return row


def state_of(row: ApiKeyRow, now: datetime) -> str:
    """Active | rotated (works until it expires) | expired | revoked."""
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "active" if row.replaced_by_id is None else "rotated"


def told(row: ApiKeyRow) -> dict[str, Any]:
    """For the audit log; the secret is nowhere."""
    return {
        "name": row.name,
        "role": row.role,
        "scopes": row.scopes,
        "networks": row.networks,
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
    }


def _check_within_own(caller: Principal, spec: KeySpec) -> None:
    beyond = rights_of(spec.role, spec.scopes) - caller.rights
    if beyond:
        raise Forbidden(
            f"the key would have {', '.join(sorted(beyond))}, which {caller.name} does not have",
            code="beyond_own_rights",
        )


def _check_name(session: Session, project_id: UUID, name: str) -> None:
    query = select(ApiKeyRow).where(
        ApiKeyRow.project_id == project_id,
        ApiKeyRow.name == name,
        ApiKeyRow.revoked_at.is_(None),
        (ApiKeyRow.expires_at.is_(None)) | (ApiKeyRow.expires_at > func.now()),
    )
    other = session.scalars(query.limit(1)).first()
    if other is not None:
        raise Conflict(f"the key {other.prefix} has the name {name!r}", code="key_name_taken")


def _one_change_at_a_time(session: Session, project_id: UUID) -> None:
    """Of the project's keys: two requests may not each revoke the other's last but one. A lock on
    the project's row would hold up every insert of a job.
    """
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 3))"), {"name": str(project_id)}
    )


def _as_long_again(old: ApiKeyRow, now: datetime) -> datetime | None:
    return None if old.expires_at is None else now + (old.expires_at - old.created_at)


def _gives_keys(row: ApiKeyRow) -> bool:
    return principal_of(row).may(Right.ACCESS_WRITE)


def _others_give_keys(session: Session, row: ApiKeyRow) -> bool:
    """One that a rotation has replaced ends soon, and does not count."""
    query = select(ApiKeyRow).where(
        ApiKeyRow.project_id == row.project_id,
        ApiKeyRow.id != row.id,
        ApiKeyRow.revoked_at.is_(None),
        ApiKeyRow.replaced_by_id.is_(None),
        (ApiKeyRow.expires_at.is_(None)) | (ApiKeyRow.expires_at > func.now()),
    )
    return any(_gives_keys(other) for other in session.scalars(query))
