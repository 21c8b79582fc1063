"""What a version must fulfil before an alias points to it."""

from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.datasets.records import resolve_dataset
from app.db.datasets import DatasetRow
from app.db.registry import AliasPolicyRow
from app.metrics.base import metrics
from app.models.records import list_models
from app.models.reference import CHAMPION, alias_word


def set_policy(
    session: Session, project_id: UUID, name: str, alias: str, *, by: str, **wanted: Any
) -> AliasPolicyRow:
    """`wanted`: columns of the row, and `evaluation_dataset`, whose version is pinned now. Raises
    NotFound for an unknown model or data set, UnknownName for a metric.
    """
    if not list_models(session, project_id, name=name, limit=1):
        raise NotFound(f"there is no model {name!r}")
    ref = wanted.pop("evaluation_dataset")
    dataset = None if ref is None else resolve_dataset(session, project_id, ref)
    if wanted["metric"] is not None:
        wanted["metric"] = metrics.get(wanted["metric"]).name
    key = {"project_id": project_id, "name": name, "alias": alias_word(alias)}
    row = session.get(AliasPolicyRow, tuple(key.values()), with_for_update=True)
    if row is None:
        row = AliasPolicyRow(**key)
        session.add(row)
    row.dataset_id = None if dataset is None else dataset.id
    for column, value in wanted.items():
        setattr(row, column, value)
    row.changed_by, row.changed_at = by, func.clock_timestamp()
    session.flush()
    session.refresh(row)
    return row


def get_policy(session: Session, project_id: UUID, name: str, alias: str) -> AliasPolicyRow:
    """Raises NotFound."""
    word = alias_word(alias)
    row = session.get(AliasPolicyRow, (project_id, name, word))
    if row is None:
        raise NotFound(
            f"{name}@{word} has no policy: any version may bear it",
            remedy=f"Set one: PUT /api/v1/registry/{name}/policies/{word}.",
        )
    return row


def protection(session: Session, project_id: UUID, name: str, alias: str) -> str | None:
    """Why only approvers point this alias; None: nothing protects it."""
    word = alias_word(alias)
    if word == CHAMPION:
        return f"{name}@{word} is what answers when nothing else is named"
    row = session.get(AliasPolicyRow, (project_id, name, word))
    return None if row is None or not row.required else f"{name}@{word} has a policy"


def policy_json(session: Session, row: AliasPolicyRow) -> dict[str, Any]:
    """As it is answered, asked of a worker, and kept in the history."""
    dataset = session.get(DatasetRow, row.dataset_id) if row.dataset_id else None
    plain = ("metric", "min_delta", "confidence", "required", "four_eyes", "max_latency_ms")
    return {
        "alias": row.alias,
        "evaluation_dataset": None if dataset is None else f"{dataset.name}:{dataset.number}",
        "dataset_id": None if row.dataset_id is None else str(row.dataset_id),
        **{column: getattr(row, column) for column in plain},
        "changed_at": row.changed_at.isoformat(),
        "changed_by": row.changed_by,
    }
