"""Optuna studies: our record; Optuna's own tables live in the schema `optuna`."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class StudyRow(Identified, Base):
    __tablename__ = "studies"
    __table_args__ = (Index(None, "project_id", "id"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    optuna_study_name: Mapped[str] = mapped_column(unique=True)
    algorithm: Mapped[str]
    metric: Mapped[str]
    direction: Mapped[str]
    n_trials: Mapped[int]
    #: {"value", "params", "trial", "default_value"}; the value is the mean over inner folds
    best: Mapped[Json | None]
    model_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("models.id", ondelete="SET NULL"), index=True
    )
