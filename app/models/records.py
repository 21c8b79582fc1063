"""Model versions and aliases in Postgres."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.names import listed, shown
from app.db.models import AliasRow, ModelVersionRow
from app.models.reference import ModelReference, parse_model_ref

#: what a bare name means, when it is set
DEFAULT_ALIAS = "champion"


def resolve_model(session: Session, project_id: UUID, ref: str) -> ModelVersionRow:
    """Raises InvalidInput (not a reference) and NotFound (nearest names as remedy)."""
    reference = parse_model_ref(ref)
    row = _find(session, project_id, reference)
    if row is None:
        raise NotFound(
            f"there is no model {shown(ref)}", remedy=_nearest(session, project_id, reference)
        )
    return row


def _find(session: Session, project_id: UUID, ref: ModelReference) -> ModelVersionRow | None:
    if ref.id is not None:
        row = session.get(ModelVersionRow, ref.id)
        return row if row is not None and row.project_id == project_id else None
    if ref.number is not None:
        return session.scalar(
            _versions(project_id, ref.name).where(ModelVersionRow.number == ref.number)
        )
    alias = session.get(AliasRow, (project_id, ref.name, ref.alias or DEFAULT_ALIAS))
    if alias is not None:
        return session.get(ModelVersionRow, alias.model_id)
    if ref.alias is not None:
        return None
    return session.scalar(
        _versions(project_id, ref.name).order_by(ModelVersionRow.number.desc()).limit(1)
    )


def _versions(project_id: UUID, name: str | None) -> Select[ModelVersionRow]:
    return select(ModelVersionRow).where(
        ModelVersionRow.project_id == project_id,
        ModelVersionRow.name == name,
        ModelVersionRow.state != "archived",
    )


def _nearest(session: Session, project_id: UUID, ref: ModelReference) -> str:
    names = session.scalars(
        select(ModelVersionRow.name).where(ModelVersionRow.project_id == project_id).distinct()
    ).all()
    if not names:
        return "There is no model yet: train one (POST /api/v1/jobs, kind train)."
    if ref.name is not None and ref.name in names:
        return f"{ref.name} exists: {_of_name(session, project_id, ref.name)}."
    known = listed(ref.name or "", names, most=5)
    return f"Known models: {known}. List them: GET /api/v1/models."


def _of_name(session: Session, project_id: UUID, name: str) -> str:
    """The versions and aliases that `name` has."""
    numbers = session.scalars(
        _versions(project_id, name)
        .with_only_columns(ModelVersionRow.number)
        .order_by(ModelVersionRow.number.desc())
        .limit(5)
    ).all()
    aliases = session.scalars(
        select(AliasRow.alias)
        .where(AliasRow.project_id == project_id, AliasRow.name == name)
        .order_by(AliasRow.alias)
        .limit(5)
    ).all()
    known = [f"{name}:{number}" for number in numbers] + [f"{name}@{alias}" for alias in aliases]
    return ", ".join(known) or "all of its versions are archived"


def next_number(session: Session, project_id: UUID, name: str) -> int:
    """The next version of `name`; others that ask wait until this transaction has ended."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))"),
        {"name": f"{project_id}:{name}"},
    )
    newest = session.scalar(
        select(func.max(ModelVersionRow.number)).where(
            ModelVersionRow.project_id == project_id, ModelVersionRow.name == name
        )
    )
    return (newest or 0) + 1


def list_models(
    session: Session,
    project_id: UUID,
    *,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    archived: bool = False,
    limit: int = 50,
    before_id: UUID | None = None,
) -> Sequence[ModelVersionRow]:
    """Newest first; with all of these labels. `archived`: only those instead of the others."""
    query = select(ModelVersionRow).where(
        ModelVersionRow.project_id == project_id,
        ModelVersionRow.state == "archived" if archived else ModelVersionRow.state != "archived",
    )
    if labels:
        query = query.where(ModelVersionRow.labels.contains(dict(labels)))
    if name is not None:
        query = query.where(ModelVersionRow.name == name)
    if before_id is not None:
        query = query.where(ModelVersionRow.id < before_id)
    return session.scalars(query.order_by(ModelVersionRow.id.desc()).limit(limit)).all()


def aliases_of(session: Session, project_id: UUID, model_ids: Sequence[UUID]) -> list[AliasRow]:
    return list(
        session.scalars(
            select(AliasRow).where(
                AliasRow.project_id == project_id, AliasRow.model_id.in_(model_ids)
            )
        )
    )


def pointed_lately(session: Session, limit: int) -> list[UUID]:
    """Versions that aliases point to, of all projects, the last changed first."""
    newest = func.max(AliasRow.changed_at)
    query = select(AliasRow.model_id).group_by(AliasRow.model_id).order_by(newest.desc())
    return list(session.scalars(query.limit(limit)))
