"""Of the installation: webhooks, keys, quotas."""

from typing import ClassVar

from pydantic import Field

from app.events.types.base import EventData


class WebhookDisabled(EventData):
    """A receiver failed for too long, or said that it is gone: nothing is sent to it any more."""

    webhook_id: str
    host: str = Field(description="Of its address.")
    reason: str
    failures: int
    failing_since: str | None


class WebhookTested(EventData):
    """Somebody asked to try a webhook; sent to that one only."""

    subscribable: ClassVar[bool] = False

    webhook_id: str
    by: str


class ApiKeyExpiring(EventData):
    """A key stops working within seven days, and no rotation has replaced it; told once of each."""

    key_id: str
    prefix: str = Field(description="As `retort keys ls` names it.")
    name: str
    expires_at: str


class QuotaExceeded(EventData):
    """A request was refused because a quota is used up; told once a day of each caller and quota,
    however many are refused.
    """

    principal: str = Field(description="Whose request it was, e.g. key:plate-reader.")
    quota: str = Field(description="queued_jobs, gpu_hours_per_month or stored_bytes.")
    scope: str = Field(description="project or key: whose quota it is.")
    limit: float
    used: float = Field(description="When it was refused.")
