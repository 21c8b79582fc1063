"""Evaluations in Postgres."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db.evaluations import EvaluationRow


def list_evaluations(
    session: Session,
    project_id: UUID,
    model_id: UUID,
    *,
    limit: int = 50,
    before_id: UUID | None = None,
) -> Sequence[EvaluationRow]:
    """Of one model version, newest first."""
    query = select(EvaluationRow).where(
        EvaluationRow.project_id == project_id, EvaluationRow.model_id == model_id
    )
    if before_id is not None:
        query = query.where(EvaluationRow.id < before_id)
    return session.scalars(query.order_by(EvaluationRow.id.desc()).limit(limit)).all()


def get_evaluation(session: Session, project_id: UUID, evaluation_id: UUID) -> EvaluationRow:
    """Raises NotFound."""
    row = session.get(EvaluationRow, evaluation_id)
    if row is None or row.project_id != project_id:
        raise NotFound(
            f"there is no evaluation {evaluation_id}",
            remedy="List them: GET /api/v1/models/{model}/evaluations.",
        )
    return row
