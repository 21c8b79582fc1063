"""API keys over HTTP."""

from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.access.key_admin import state_of
from app.access.keys import KeySpec, principal_of
from app.access.principal import Principal
from app.access.rights import Right, Role
from app.core.clock import utc_now
from app.core.requests import RequestModel
from app.db.projects import ApiKeyRow

_DAY = 86_400
_TEN_YEARS = 3_652 * _DAY
Lifetime = Annotated[float, Field(ge=60, le=_TEN_YEARS)]


class KeyRequest(RequestModel):
    """A key for a program or a person."""

    #: who will use it; what it submits belongs to key:<name>
    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w][\w .,:@()/+-]*$")
    role: Role
    #: rights that it is narrowed to; none: all of its role
    scopes: tuple[Right, ...] = Field(default=(), max_length=len(Right))
    #: it may be used from these addresses only, e.g. 10.2.0.0/16; none: from any
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(default=(), max_length=50)
    #: left out: it does not expire
    expires_in_seconds: Lifetime | None = None

    def spec(self) -> KeySpec:
        return KeySpec(
            name=self.name,
            role=self.role,
            scopes=[scope.value for scope in dict.fromkeys(self.scopes)],
            networks=[str(network) for network in self.networks],
            expires_at=time_in(self.expires_in_seconds),
        )


class RotateRequest(RequestModel):
    #: the old key works for so long yet
    overlap_seconds: float = Field(default=_DAY, ge=0, le=30 * _DAY)
    #: of the new key; left out: as long as the old one was made for
    expires_in_seconds: Lifetime | None = None


class KeyAnswer(BaseModel):
    id: UUID
    #: names the key; the secret is not kept
    prefix: str
    name: str
    #: `member`: made before there were roles
    role: Literal["viewer", "scientist", "approver", "operator", "admin", "member"]
    scopes: list[str]
    networks: list[str]
    state: Literal["active", "rotated", "expired", "revoked"]
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    #: to the minute
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyAnswer(KeyAnswer):
    #: shown this once
    key: str


class KeyPage(BaseModel):
    items: list[KeyAnswer]
    next_cursor: str | None


class WhoAmI(BaseModel):
    """The caller, as the gateway sees it."""

    name: str
    #: a key of ours, or a person whom the organisation's issuer vouches for
    kind: Literal["key", "user"]
    role: str
    rights: list[str]
    project_id: UUID
    key: KeyAnswer | None


def time_in(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc_now() + timedelta(seconds=seconds)


def key_json(row: ApiKeyRow) -> dict[str, Any]:
    plain = ("id", "prefix", "name", "scopes", "networks", "created_at", "created_by")
    times = ("expires_at", "last_used_at", "revoked_at")
    return {
        **{name: getattr(row, name) for name in (*plain, *times)},
        "role": principal_of(row).role_name,
        "state": state_of(row, utc_now()),
    }


def whoami_json(caller: Principal, row: ApiKeyRow | None) -> dict[str, Any]:
    return {
        "name": caller.name,
        "kind": "user" if row is None else "key",
        "role": caller.role_name,
        "rights": [right.value for right in Right if right in caller.rights],
        "project_id": caller.project_id,
        "key": None if row is None else key_json(row),
    }
