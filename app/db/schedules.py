"""Schedules: what is submitted when, and every run of it. Times are Postgres' own."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    Uuid,
    desc,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Identified, Json

_OPEN = text("state IN ('waiting', 'running', 'held')")


class ScheduleRow(Identified, Base):
    """Jobs run in the name of `created_by`."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index(
            "uq_schedules_name",
            "project_id",
            "name",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
        Index("ix_schedules_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        CheckConstraint("missed IN ('skip', 'last', 'all')", name="missed"),
        CheckConstraint("overlap IN ('skip', 'queue', 'allow')", name="overlap"),
    )

    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    cron: Mapped[str]
    #: IANA name, e.g. Europe/Berlin
    timezone: Mapped[str]
    #: a kind of job, or retrain
    kind: Mapped[str]
    #: the job, or what is retrained and how; validated when it was written
    template: Mapped[Json]
    #: of which only one run is open at a time, whatever schedule made it (a model's name); null:
    #: the schedule itself
    subject: Mapped[str | None]
    missed: Mapped[str] = mapped_column(server_default=text("'last'"))
    #: with `missed = 'all'`: how many at most
    max_missed: Mapped[int] = mapped_column(server_default=text("10"))
    overlap: Mapped[str] = mapped_column(server_default=text("'skip'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    #: the next run by the cron expression; null: paused, over or archived
    next_at: Mapped[datetime | None]
    start_at: Mapped[datetime | None]
    end_at: Mapped[datetime | None]
    #: counts every change by a person; the ETag
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    archived_at: Mapped[datetime | None]


class ScheduleRunRow(Base):
    """One moment of a schedule, stored in the transaction that stores its jobs."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        UniqueConstraint("schedule_id", "run_at"),
        CheckConstraint(
            "state IN ('waiting', 'running', 'held', 'succeeded', 'failed', 'skipped')",
            name="state",
        ),
        CheckConstraint("trigger IN ('cron', 'missed', 'manual')", name="trigger"),
        Index("ix_schedule_runs_newest", "schedule_id", desc("id")),
        Index("ix_schedule_runs_open", "schedule_id", "state", postgresql_where=_OPEN),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    #: the moment that the cron expression names; of a run by hand when it was asked for
    run_at: Mapped[datetime]
    trigger: Mapped[str]
    state: Mapped[str]
    #: of a retraining: promoted, kept, rejected
    outcome: Mapped[str | None]
    job_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), server_default=text("'{}'"))
    #: why it was skipped, kept, held
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    #: the problem of a failed run
    error: Mapped[Json | None]
    #: of a retraining: jobs by their part, candidate, champion, gate
    details: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    finished_at: Mapped[datetime | None]
    #: who ran it by hand, approved or rejected it
    decided_by: Mapped[str | None]
