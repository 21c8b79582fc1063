"""Datasets (immutable once ready) and their splits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Identified, Json


class DatasetRow(Identified, Base):
    """Ready once `manifest_key` is set; until then its ingest job says how far it is."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("project_id", "name", "number"),
        Index("ix_datasets_newest", "project_id", desc("id")),
    )

    name: Mapped[str]
    #: version: 1, 2, ... per name
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(default="molecule")
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    #: [{"name", "role", "type", ...}], as guessed or overridden
    columns: Mapped[list[Json]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    #: rows_in = rows_ok + rows_rejected + rows_merged
    rows_in: Mapped[int | None]
    rows_ok: Mapped[int | None]
    rows_rejected: Mapped[int | None]
    rows_merged: Mapped[int | None]
    #: SHA-256 of clean.parquet's content
    sha256: Mapped[str | None]
    #: blob key of manifest.json; set by the commit that makes the dataset ready
    #: its siblings clean.parquet, rejected.csv, report.json, report.html lie in the same folder
    manifest_key: Mapped[str | None]
    report: Mapped[Json | None]


class SplitRow(Base):
    __tablename__ = "splits"
    __table_args__ = (UniqueConstraint("dataset_id", "params_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    dataset_id: Mapped[UUID] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    splitter: Mapped[str]
    params: Mapped[Json]
    seed: Mapped[int]
    #: of splitter, version, parameters, seed and targets used
    params_hash: Mapped[str]
    #: of the row sets themselves: cites the split
    hash: Mapped[str]
    storage_key: Mapped[str]
    sizes: Mapped[Json]
    #: how many models were tested on its test rows
    test_uses: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
