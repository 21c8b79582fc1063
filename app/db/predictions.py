"""Past predictions: what was asked, what was answered, by which version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class PredictionRow(Identified, Base):
    """One answer to one input. No foreign key but the project's: what was answered stays true when
    the model or endpoint is gone.

    Every index ends with the id, newest first: ids are UUIDv7, so that is by time. Structures are
    found by a hash, because a b-tree refuses keys beyond 2,704 bytes and a SMILES may be longer.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        CheckConstraint("mode IN ('live', 'shadow', 'fallback')", name="mode"),
        Index("ix_predictions_newest", "project_id", desc("id")),
        Index("ix_predictions_structure", "project_id", "structure_key", desc("id")),
        Index("ix_predictions_model", "project_id", "model_name", desc("id")),
        Index(
            "ix_predictions_structure_model",
            "project_id",
            "structure_key",
            "model_name",
            desc("id"),
        ),
        Index("ix_predictions_version", "project_id", "model_name", "model_number", desc("id")),
        Index("ix_predictions_input", "input_hash", "model_id"),
        Index("ix_predictions_request", "project_id", "request_id", desc("id")),
        Index(
            "ix_predictions_endpoint",
            "project_id",
            "endpoint_id",
            desc("id"),
            postgresql_where=text("endpoint_id IS NOT NULL"),
        ),
        Index(
            "ix_predictions_mode",
            "project_id",
            "mode",
            desc("id"),
            postgresql_where=text("mode <> 'live'"),
        ),
        Index("ix_predictions_age", "created_at", postgresql_where=text("expires_at IS NULL")),
        Index(
            "ix_predictions_expiry", "expires_at", postgresql_where=text("expires_at IS NOT NULL")
        ),
    )

    model_id: Mapped[UUID]
    model_name: Mapped[str]
    model_number: Mapped[int]
    endpoint_id: Mapped[UUID | None]
    endpoint_revision: Mapped[int | None]
    #: live (answered), fallback (answered in place of another model), shadow (never answered)
    mode: Mapped[str] = mapped_column(server_default=text("'live'"))
    #: of exactly what was given (app/prediction/answer_cache.py: input_key)
    input_hash: Mapped[str]
    #: standardized SMILES; null: a row of a table, or a molecule that could not be read
    structure: Mapped[str | None]
    structure_key: Mapped[str | None]
    inchikey: Mapped[str | None]
    #: {"smiles"?, "features"?, "id"?} as they were given
    input: Mapped[Json]
    #: the item of the answer without what is in `input`
    output: Mapped[Json]
    #: whether the answer came from the cache
    cached: Mapped[bool] = mapped_column(server_default=text("false"))
    latency_ms: Mapped[float | None]
    request_id: Mapped[str | None]
    #: null: when the installation's setting says so
    expires_at: Mapped[datetime | None]
