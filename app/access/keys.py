"""API keys: shown once, kept as a hash; `rt_<prefix>_<secret>`."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.access.rights import Role
from app.core.errors import Unauthorized
from app.db.base import DEFAULT_PROJECT_ID
from app.db.database import Database
from app.db.projects import ApiKeyRow

_FORM = re.compile(r"rt_(?P<prefix>[0-9a-f]{8})_(?P<secret>[A-Za-z0-9_-]{43})")
#: a key's last use is written down when it is older than this, not with each request
_USE_IS_NEWS_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """`text` is all that its owner will ever see of it."""

    id: UUID
    text: str


@dataclass(frozen=True, kw_only=True)
class KeySpec:
    """What a key is to be."""

    name: str
    #: None: as keys were before there were roles
    role: Role | None = None
    scopes: Sequence[str] = ()
    #: addresses as CIDR that it may be used from; none: any
    networks: Sequence[str] = ()
    expires_at: datetime | None = None
    project_id: UUID = DEFAULT_PROJECT_ID
    created_by: str | None = None


def create_key(
    session: Session,
    *,
    name: str,
    project_id: UUID = DEFAULT_PROJECT_ID,
    is_admin: bool = False,
    role: Role | None = None,
) -> NewKey:
    """For scripts that run beside the database. `is_admin` says role ADMIN; a key with neither may
    do what keys could before there were roles.
    """
    role = Role.ADMIN if is_admin else role
    row, text = add_key(session, KeySpec(name=name, project_id=project_id, role=role))
    return NewKey(id=row.id, text=text)


def add_key(session: Session, spec: KeySpec) -> tuple[ApiKeyRow, str]:
    """256 random bits; SHA-256 is enough for a secret that nobody chose."""
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    row = ApiKeyRow(
        project_id=spec.project_id,
        name=spec.name,
        prefix=prefix,
        hash=_hash(secret),
        is_admin=spec.role is Role.ADMIN and not spec.scopes,
        role=None if spec.role is None else spec.role.value,
        scopes=list(spec.scopes),
        networks=list(spec.networks),
        expires_at=spec.expires_at,
        created_by=spec.created_by,
    )
    session.add(row)
    session.flush()
    return row, f"rt_{prefix}_{secret}"


def find_principal(session: Session, text: str) -> Principal:
    """Who holds this key. Raises Unauthorized; that a key has expired or was revoked is told only
    to who knows its secret.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise Unauthorized("the API key is not of the form rt_<prefix>_<secret>")
    found = session.execute(
        select(
            ApiKeyRow,
            ApiKeyRow.expires_at <= func.now(),
            func.coalesce(ApiKeyRow.last_used_at < func.now() - _USE_IS_NEWS_AFTER, True),
        ).where(ApiKeyRow.prefix == match["prefix"])
    ).first()
    if found is None or not hmac.compare_digest(found[0].hash, _hash(match["secret"])):
        raise Unauthorized("the API key is not known here")
    row, expired, use_is_news = found
    if row.revoked_at is not None:
        raise Unauthorized("the API key was revoked", code="key_revoked")
    if expired:
        raise Unauthorized("the API key has expired", code="key_expired")
    if use_is_news:
        row.last_used_at = func.now()
    return principal_of(row)


def principal_of(row: ApiKeyRow) -> Principal:
    return Principal(
        project_id=row.project_id,
        name=f"key:{row.name}",
        key_id=row.id,
        role=role_of(row),
        scopes=tuple(row.scopes),
        networks=tuple(ip_network(network) for network in row.networks),
        rate_per_second=row.quota.get("requests_per_second"),
        rate_burst=row.quota.get("burst"),
    )


def role_of(row: ApiKeyRow) -> Role | None:
    """None: an ordinary key of the time before there were roles."""
    if row.role is None:
        return Role.ADMIN if row.is_admin else None
    return Role(row.role)


def ensure_key(database: Database, *, name: str, path: Path) -> str:
    """The key in the file at `path` while it works, else a new one (the caller stores it).

    Who may read that file runs the installation: the key is an administrator's, also one that was
    made before there were any.
    """
    text = path.read_text().strip() if path.is_file() else ""
    with database.session() as session:
        known = _known(session, text) if text else None
        if known is None:
            return create_key(session, name=name, is_admin=True).text
        known.is_admin, known.role = True, Role.ADMIN.value
        return text


def _known(session: Session, text: str) -> ApiKeyRow | None:
    try:
        key_id = find_principal(session, text).key_id
    except Unauthorized:
        return None
    return session.get(ApiKeyRow, key_id)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
