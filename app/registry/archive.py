"""A version is put away, and brought back: hidden from lists and names, never deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldError, InvalidInput
from app.db.database import cursor_of
from app.db.models import AliasRow, ModelVersionRow
from app.events.log import NewEvent, record
from app.events.types.models import ModelArchived
from app.models.records import resolve_model
from app.models.reference import parse_model_ref


@dataclass(frozen=True, kw_only=True)
class Dependant:
    """What would break without the version."""

    #: alias, endpoint, ...
    kind: str
    #: as a person names it: `esol@champion`
    name: str


#: of a version: whatever depends on it
FindDependants = Callable[[Session, ModelVersionRow], Sequence[Dependant]]


def aliases_of_version(session: Session, row: ModelVersionRow) -> list[Dependant]:
    query = select(AliasRow).where(
        AliasRow.project_id == row.project_id, AliasRow.model_id == row.id
    )
    return [
        Dependant(kind="alias", name=f"{found.name}@{found.alias}")
        for found in session.scalars(query.order_by(AliasRow.alias))
    ]


def archive(
    session: Session, row: ModelVersionRow, *, by: str, finders: Sequence[FindDependants]
) -> None:
    """Once more changes nothing. Raises Conflict naming whatever depends on it. Who makes an alias
    point to the version waits for this lock, and then sees that it is archived.
    """
    row = session.get_one(ModelVersionRow, row.id, with_for_update=True, populate_existing=True)
    if row.state == "archived":
        return
    found = [one for find in finders for one in find(session, row)]
    if found:
        named = ", ".join(f"{one.kind} {one.name}" for one in found[:20])
        raise Conflict(
            f"{row.name}:{row.number} cannot be archived: {named} depends on it",
            code="model_in_use",
            errors=[
                FieldError(pointer=one.name, code="depends", detail=f"{one.kind} {one.name}")
                for one in found
            ],
        )
    row.state, row.archived_by = "archived", by
    row.archived_at = func.clock_timestamp()
    session.flush()
    session.refresh(row)
    told = ModelArchived(model_id=str(row.id), name=row.name, number=row.number, by=by)
    subject = f"registry/{row.name}"
    record(cursor_of(session), [NewEvent(project_id=row.project_id, subject=subject, data=told)])


def restore(session: Session, row: ModelVersionRow) -> None:
    """Once more changes nothing."""
    row.state, row.archived_at, row.archived_by = "candidate", None, None
    session.flush()


def resolve_version(session: Session, project_id: UUID, ref: str) -> ModelVersionRow:
    """As `resolve_any`, for what changes a version's state: a bare name or an alias, whose meaning
    moves, is refused (InvalidInput).
    """
    asked = parse_model_ref(ref)
    if asked.id is None and asked.number is None:
        raise InvalidInput(
            f"{ref} means another version from time to time",
            code="invalid_reference",
            remedy="Say which one: its id, or `name:3`.",
        )
    return resolve_any(session, project_id, ref)


def resolve_any(session: Session, project_id: UUID, ref: str) -> ModelVersionRow:
    """As `resolve_model`, but `name:3` may be archived too."""
    asked = parse_model_ref(ref)
    if asked.number is None:
        return resolve_model(session, project_id, ref)
    row = session.scalar(
        select(ModelVersionRow).where(
            ModelVersionRow.project_id == project_id,
            ModelVersionRow.name == asked.name,
            ModelVersionRow.number == asked.number,
        )
    )
    return resolve_model(session, project_id, ref) if row is None else row
