"""Of the registry."""

from pydantic import Field

from app.events.types.base import EventData


class ModelPromoted(EventData):
    """An alias points to another version, by a promotion or a rollback, or was taken away."""

    name: str
    alias: str
    reason: str = Field(description="promoted, rolled_back or removed.")
    from_version: int | None = Field(description="None: it pointed nowhere.")
    to_version: int | None = Field(description="None: it points nowhere now.")
    model_id: str | None = Field(description="Of the version that it points to.")
    note: str
    by: str


class ModelArchived(EventData):
    """A version is hidden from lists and names, and answers no more."""

    model_id: str
    name: str
    number: int
    by: str
