"""Endpoints, their revisions, what their arms did each minute, and what was measured afterwards."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    UniqueConstraint,
    desc,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Identified, Json


class EndpointRow(Identified, Base):
    __tablename__ = "endpoints"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        CheckConstraint("state IN ('active', 'archived')", name="state"),
    )

    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: which keys go to which arm depends on it, so it stays for the endpoint's life
    salt: Mapped[str]
    state: Mapped[str] = mapped_column(default="active", server_default=text("'active'"))
    #: counts every change: the ETag
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class EndpointRevisionRow(Base):
    """Append-only, but for `active`; exactly one of an endpoint is active."""

    __tablename__ = "endpoint_revisions"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "number"),
        Index(
            "uq_endpoint_revisions_active",
            "endpoint_id",
            unique=True,
            postgresql_where=text("active"),
        ),
        Index("ix_endpoint_revisions_newest", "endpoint_id", desc("id")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    number: Mapped[int]
    active: Mapped[bool]
    #: created | updated | canary_step | canary_paused | canary_resumed | canary_rolled_back
    #: | canary_finished | rolled_back
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_by: Mapped[str]
    #: as it was asked for
    spec: Mapped[Json]
    #: {model reference: {"model_id", "name", "number"}}: what each meant when this was made
    resolved: Mapped[Json]
    #: [[model reference, first bucket, behind the last], ...] of 10,000
    buckets: Mapped[list[Any]]
    #: {"step", "share", "since", "paused", "base"} while a canary runs
    canary: Mapped[Json | None]
    #: number of the revision that this one brought back
    restores: Mapped[int | None]
    #: what was measured when a canary was stepped or rolled back
    figures: Mapped[Json | None]


class EndpointMinuteRow(Base):
    """Added up by every gateway each second. Without foreign keys, for no count may be lost
    because of another's row.
    """

    __tablename__ = "endpoint_minutes"
    __table_args__ = (
        PrimaryKeyConstraint("endpoint_id", "revision", "model_id", "mode", "minute"),
        Index(None, "minute"),
    )

    endpoint_id: Mapped[UUID]
    revision: Mapped[int]
    model_id: Mapped[UUID]
    #: live | shadow | fallback
    mode: Mapped[str]
    minute: Mapped[datetime]
    requests: Mapped[int]
    inputs: Mapped[int]
    #: requests that got no answer for a reason of ours
    errors: Mapped[int]
    #: inputs that cannot be predicted
    refused: Mapped[int]
    cached: Mapped[int]
    out_of_domain: Mapped[int]
    fallbacks: Mapped[int]
    #: requests without cached inputs, by bucket of app/endpoints/latency.py
    latency: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class EndpointOutcomeRow(Identified, Base):
    """What was measured of something that the endpoint predicted."""

    __tablename__ = "endpoint_outcomes"
    __table_args__ = (
        CheckConstraint("(number IS NULL) <> (label IS NULL)", name="measured"),
        CheckConstraint("(request_id IS NULL) <> (structure IS NULL)", name="of"),
        Index("ix_endpoint_outcomes_newest", "endpoint_id", desc("id")),
        Index(None, "project_id"),
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    request_id: Mapped[str | None]
    #: of the input within the request, as it was sent along
    input_id: Mapped[str | None]
    #: as it was sent, or as it was standardized
    structure: Mapped[str | None]
    target: Mapped[str]
    #: measured, of a regression
    number: Mapped[float | None]
    #: measured, of a class
    label: Mapped[str | None]
