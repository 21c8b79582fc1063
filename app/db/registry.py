"""The registry: what is said of a name, who moved its aliases, and what a move must fulfil."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    desc,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class RegistryNameRow(Base):
    """A name of models; there is a row only where something is said of it, or is mirrored."""

    __tablename__ = "registry_names"
    __table_args__ = (PrimaryKeyConstraint("project_id", "name"),)

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    labels: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: what MLflow's registry shows of it (a hash), and since when (null: nothing yet)
    mirrored: Mapped[str | None]
    mirrored_at: Mapped[datetime | None]


class AliasHistoryRow(Identified, Base):
    """Append-only, a trigger refuses the rest. It names models by id and number, without a foreign
    key: what happened stays true when a model is purged. Who and when: `created_by`, `created_at`.
    """

    __tablename__ = "alias_history"
    __table_args__ = (
        CheckConstraint("kind IN ('promoted', 'rolled_back', 'removed')", name="kind"),
        Index("ix_alias_history_newest", "project_id", "name", desc("seq")),
    )

    #: the order in which it happened (clocks of gateways differ)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    name: Mapped[str]
    alias: Mapped[str]
    kind: Mapped[str]
    from_model_id: Mapped[UUID | None]
    from_number: Mapped[int | None]
    to_model_id: Mapped[UUID | None]
    to_number: Mapped[int | None]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    evaluation_id: Mapped[UUID | None]
    #: what the gate looked at: {"policy", "passed", "checks": [{"check", "passed", "detail"}]}
    gate: Mapped[Json | None]


class AliasPolicyRow(Base):
    """What a version must fulfil before the alias points to it."""

    __tablename__ = "alias_policies"
    __table_args__ = (PrimaryKeyConstraint("project_id", "name", "alias"),)

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    alias: Mapped[str]
    #: the version of a data set that decides; null: any that both were evaluated on
    dataset_id: Mapped[UUID | None] = mapped_column(ForeignKey("datasets.id"), index=True)
    #: null: the main metric of the task
    metric: Mapped[str | None]
    #: what the lower end of the improvement's interval must reach, in the metric's unit
    min_delta: Mapped[float] = mapped_column(server_default=text("0"))
    #: level of that interval
    confidence: Mapped[float] = mapped_column(server_default=text("0.95"))
    #: false: the checks are made and recorded, and refuse nothing
    required: Mapped[bool] = mapped_column(server_default=text("true"))
    four_eyes: Mapped[bool] = mapped_column(server_default=text("false"))
    max_latency_ms: Mapped[float | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    changed_by: Mapped[str] = mapped_column(server_default=text("'system'"))
