"""Evaluations: a model version measured on labelled rows, as often as someone asks."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class EvaluationRow(Identified, Base):
    __tablename__ = "evaluations"
    __table_args__ = (Index("ix_evaluations_newest", "model_id", desc("id")),)

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    #: which rows: test (of the model's own split), all
    part: Mapped[str]
    #: {target: {metric: {"value", "ci_low", "ci_high"}}}
    metrics: Mapped[Json]
    #: {target: {"confusion_matrix", "classification_report", ...}}, feature_importance, counts
    details: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    #: blob of each row's label and prediction, which the gate of an alias pairs; null: of an
    #: earlier release
    rows_key: Mapped[str | None]
    rows_sha256: Mapped[str | None]
