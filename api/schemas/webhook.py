"""Webhooks over HTTP: the requests, and the answers."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.schemas.event import EventAnswer
from app.core.requests import Instant, RequestModel
from app.db.events import WebhookDeliveryRow, WebhookRow
from app.webhooks.records import OVERLAP_SECONDS

_Label = Annotated[str, Field(max_length=200)]
_Labels = dict[_Label, _Label]
_Url = Annotated[str, Field(min_length=8, max_length=2_000)]
_Types = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)]
_WEEK = 7 * 86_400


class WebhookCreate(RequestModel):
    #: https, at a public address
    url: _Url
    #: names of types (GET /schemas); none: all
    types: _Types = Field(default_factory=list)
    #: only events of what has these labels
    filter: _Labels = Field(default_factory=dict, max_length=20)
    description: str = Field(default="", max_length=1_000)
    labels: _Labels = Field(default_factory=dict, max_length=50)


class WebhookPatch(RequestModel):
    """What is left out stays; lists and maps are replaced."""

    url: _Url | None = None
    types: _Types | None = None
    filter: _Labels | None = Field(default=None, max_length=20)
    description: str | None = Field(default=None, max_length=1_000)
    labels: _Labels | None = Field(default=None, max_length=50)
    #: active also sets a disabled one going again
    state: Literal["active", "paused"] | None = None


class WebhookRotate(RequestModel):
    #: for so long messages are signed with both secrets
    overlap_seconds: int = Field(default=OVERLAP_SECONDS, ge=0, le=_WEEK)


class WebhookReplay(RequestModel):
    """Either deliveries by their ids, or every event since a time."""

    delivery_ids: list[UUID] = Field(default_factory=list, max_length=200)
    since: Instant | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.delivery_ids) == (self.since is not None):
            raise ValueError("name either delivery_ids or since")
        if self.until is not None and self.since is None:
            raise ValueError("until goes with since")
        return self


class WebhookAnswer(BaseModel):
    id: UUID
    url: str
    description: str
    types: list[str]
    filter: dict[str, str]
    labels: dict[str, str]
    state: Literal["active", "paused", "disabled"]
    disabled_reason: str | None
    #: tries in a row without success, and since when
    failures: int
    failing_since: datetime | None
    #: until then the secret before the present one signs too
    previous_secret_until: datetime | None
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime


class WebhookWithSecret(WebhookAnswer):
    #: shown this once: whsec_<base64>
    secret: str


class WebhookPage(BaseModel):
    items: list[WebhookAnswer]
    next_cursor: str | None


class DeliveryAnswer(BaseModel):
    id: UUID
    event_id: UUID
    type: str
    subject: str
    state: Literal["pending", "delivered", "failed"]
    #: tries since it was made or replayed last
    attempt: int
    replays: int
    #: of one that waits: when it is tried next
    next_at: datetime | None
    sent_at: datetime | None
    #: of the last answer, and its first 1,024 bytes
    status: int | None
    response: str | None
    error: str | None
    duration_ms: float | None
    delivered_at: datetime | None
    created_at: datetime


class DeliveryWithEvent(DeliveryAnswer):
    #: the body that is sent
    event: EventAnswer


class DeliveryPage(BaseModel):
    items: list[DeliveryAnswer]
    next_cursor: str | None


class ReplayAnswer(BaseModel):
    #: deliveries that are sent again; those that waited anyway are not counted
    count: int
    #: there are more: ask again with this as `since`
    next_since: datetime | None


def webhook_json(row: WebhookRow) -> dict[str, Any]:
    shown = ("id", "url", "description", "types", "filter", "labels", "state", "disabled_reason")
    told = ("failures", "failing_since", "version", "created_at", "created_by", "updated_at")
    return {
        **{name: getattr(row, name) for name in (*shown, *told)},
        "previous_secret_until": row.previous_until,
    }


def delivery_json(row: WebhookDeliveryRow) -> dict[str, Any]:
    named = ("id", "event_id", "type", "subject", "state", "attempt", "replays", "sent_at")
    told = ("status", "response", "error", "duration_ms", "delivered_at", "created_at")
    next_at = row.next_at if row.state == "pending" else None
    return {**{name: getattr(row, name) for name in (*named, *told)}, "next_at": next_at}
