"""Entries of the audit log, in the transaction of what they tell of: both happen or neither.

A request that changes something leaves an entry by itself (app/db/audit_entries.py): its route, its
body without secrets. Call `record` where an entry can say more, and `note` before a service that
opens its own transaction; either takes the place of the request's own entry.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.hashing import sha256_of_json
from app.core.ids import new_id
from app.core.origin import current_origin
from app.core.redaction import redacted
from app.db.audit import AuditRow
from app.db.audit_entries import asked_from


def record(
    session: Session,
    caller: Principal,
    action: str,
    resource: str,
    *,
    request_id: str | None = None,
    before: Any = None,
    after: Any = None,
    **details: Any,
) -> UUID:
    """The entry's id. `action` as in predictions.delete, `resource` as in predictions/<id>;
    `details` are JSON.

    `before` and `after`: JSON of the resource; of the first only a hash is kept, which proves what
    somebody claims that it was. Values under names like `secret` or `token` are never kept.
    """
    origin = current_origin()
    asked = asked_from(origin)
    if request_id is not None:
        asked["request_id"] = request_id
    entry = AuditRow(
        id=new_id(),
        project_id=caller.project_id,
        principal=caller.name,
        action=action,
        resource=resource,
        details=redacted(details),
        before_hash=hash_of(before),
        after=redacted(after),
        **asked,
    )
    session.add(entry)
    if origin is not None:
        origin.recorded += 1
    return entry.id


def note(*, before: Any = None, **details: Any) -> None:
    """What the entry that this request leaves by itself is to tell beside its body."""
    origin = current_origin()
    if origin is not None:
        origin.before = hash_of(before) or origin.before
        origin.details |= details


def hash_of(value: Any) -> str | None:
    """SHA-256 of canonical JSON (sorted keys, no spaces), hex; None of None."""
    return None if value is None else sha256_of_json(value)
