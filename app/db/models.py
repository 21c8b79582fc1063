"""Model versions and the aliases that point to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    desc,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class ModelVersionRow(Identified, Base):
    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("project_id", "name", "number"),
        UniqueConstraint("project_id", "id"),
        UniqueConstraint("project_id", "name", "semver"),
        CheckConstraint("state IN ('candidate', 'archived')", name="state"),
        Index("ix_models_newest", "project_id", desc("id")),
        Index("ix_models_labels", "labels", postgresql_using="gin"),
    )

    name: Mapped[str]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default="candidate", server_default=text("'candidate'"))
    archived_at: Mapped[datetime | None]
    archived_by: Mapped[str | None]
    description: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: a semantic version that a person gave it, e.g. 1.2.0
    semver: Mapped[str | None]
    #: regression | binary | multiclass
    task: Mapped[str]
    algorithm: Mapped[str]
    hyperparameters: Mapped[Json]
    #: the whole request that made it
    training_config: Mapped[Json]
    #: [{"name", "classes"?}]
    targets: Mapped[list[Json]]
    #: {"test": {target: {metric: {"value", "ci_low", "ci_high"}}}, "baseline": ..., "mean": ...}
    metrics: Mapped[Json]
    #: null: it was imported
    dataset_id: Mapped[UUID | None] = mapped_column(ForeignKey("datasets.id"), index=True)
    split_id: Mapped[UUID | None] = mapped_column(ForeignKey("splits.id"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    feature_set_hash: Mapped[str]
    device: Mapped[str]
    #: blob key of manifest.json, written last; its hash covers the hashes of all other files
    manifest_key: Mapped[str]
    sha256: Mapped[str]
    #: {"name", "number", "sha256", "file_id", "dataset"} of the bundle; null: it was trained here
    imported_from: Mapped[Json | None]
    mlflow_run_id: Mapped[str | None] = mapped_column(index=True)
    #: when it reached MLflow (null: not yet; the control queue tries again)
    tracked_at: Mapped[datetime | None]
    track_attempts: Mapped[int] = mapped_column(server_default=text("0"))


class AliasRow(Base):
    __tablename__ = "aliases"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "name", "alias"),
        ForeignKeyConstraint(
            ["project_id", "model_id"], ["models.project_id", "models.id"], ondelete="CASCADE"
        ),
        Index(None, "project_id", "model_id"),
    )

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    alias: Mapped[str]
    model_id: Mapped[UUID]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    changed_by: Mapped[str] = mapped_column(server_default=text("'system'"))
