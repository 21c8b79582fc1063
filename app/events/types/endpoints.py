"""Of endpoints."""

from pydantic import Field

from app.events.types.base import EventData


class EndpointRevised(EventData):
    """Another revision answers: a change, or a step of a canary."""

    name: str
    from_revision: int | None = Field(description="None: the endpoint is new.")
    to_revision: int
    reason: str = Field(description="created, updated, canary_step, canary_finished, ...")
    note: str
    by: str


class EndpointRolledBack(EventData):
    """An earlier revision answers again, by hand or because a canary broke its guards."""

    name: str
    from_revision: int | None
    to_revision: int
    restores: int | None = Field(description="The revision that was brought back.")
    reason: str = Field(description="rolled_back or canary_rolled_back.")
    note: str
    by: str
