"""The audit log over HTTP."""

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class AuditEntry(BaseModel):
    #: place in the project's chain, from 1; null for some seconds, until it is sealed
    number: int | None
    id: UUID
    at: dt.datetime
    #: who, e.g. key:plate-reader
    principal: str
    #: what, e.g. registry.aliases.promoted
    action: str
    #: to what, e.g. registry/sol/aliases/champion
    resource: str
    #: from where; null for what the cluster does by itself
    ip: str | None
    user_agent: str | None
    request_id: str | None
    details: dict[str, Any]
    #: SHA-256 of the resource's canonical JSON before
    before_hash: str | None
    #: what it was set to, or what was asked for; without secrets
    after: Any
    prev_hash: str | None
    hash: str | None


class AuditPage(BaseModel):
    items: list[AuditEntry]
    next_cursor: str | None


class BreachAnswer(BaseModel):
    #: place in the chain, from 1
    number: int
    #: the entry that stands there; null when none does
    entry_id: UUID | None
    reason: str


class VerificationAnswer(BaseModel):
    #: that were checked, in their order, up to the breach
    entries: int
    unbroken: bool
    #: the first entry that is not what it was
    breach: BreachAnswer | None
    #: hash of the last entry that was checked
    head: str
    #: anchor files that the chain was compared with
    anchors: int
