"""API keys: shown once, kept as a hash; `rt_<prefix>_<secret>`."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.errors import Unauthorized
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.projects import ApiKeyRow

_FORM = re.compile(r"rt_(?P<prefix>[0-9a-f]{8})_(?P<secret>[A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """`text` is all that its owner will ever see of it."""

    id: UUID
    text: str


def create_key(session: Session, *, name: str, project_id: UUID = DEFAULT_PROJECT_ID) -> NewKey:
    """256 random bits; SHA-256 is enough for a secret that nobody chose."""
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    row = ApiKeyRow(project_id=project_id, name=name, prefix=prefix, hash=_hash(secret))
    session.add(row)
    session.flush()
    return NewKey(id=row.id, text=f"rt_{prefix}_{secret}")


def find_principal(session: Session, text: str) -> Principal:
    """Who holds this key. Raises Unauthorized; that a key has expired or was revoked is told only
    to who knows its secret.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise Unauthorized("the API key is not of the form rt_<prefix>_<secret>")
    found = session.execute(
        select(ApiKeyRow, ApiKeyRow.expires_at <= func.now()).where(
            ApiKeyRow.prefix == match["prefix"]
        )
    ).first()
    if found is None or not hmac.compare_digest(found[0].hash, _hash(match["secret"])):
        raise Unauthorized("the API key is not known here")
    row, expired = found
    if row.revoked_at is not None:
        raise Unauthorized("the API key was revoked", code="key_revoked")
    if expired:
        raise Unauthorized("the API key has expired", code="key_expired")
    row.last_used_at = func.now()
    return Principal(project_id=row.project_id, name=f"key:{row.name}", key_id=row.id)


def ensure_key(database: Database, *, name: str, path: Path) -> str:
    """The key in the file at `path` while it works, else a new one (the caller stores it)."""
    text = path.read_text().strip() if path.is_file() else ""
    with database.session() as session:
        if text and _works(session, text):
            return text
        return create_key(session, name=name).text


def _works(session: Session, text: str) -> bool:
    try:
        find_principal(session, text)
    except Unauthorized:
        return False
    return True


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
