"""Who bore an alias, and who bore it before: read from a log that is only ever appended to."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.database import cursor_of
from app.db.models import ModelVersionRow
from app.db.registry import AliasHistoryRow
from app.events.log import NewEvent, record
from app.events.types.models import ModelPromoted

_KEY = "idempotency_key"
PROMOTED, ROLLED_BACK, REMOVED = "promoted", "rolled_back", "removed"


class Move(Protocol):
    """What happened to an alias once; ids are None where it pointed nowhere."""

    kind: str
    from_model_id: UUID | None
    to_model_id: UUID | None


def holders(moves: Iterable[Move], present: UUID | None) -> list[UUID]:
    """A stack of who bore the alias, oldest first, without `present`, who bears it now.

    A promotion puts its version on top; a rollback takes versions off until its own is on top, so
    that the next one leads further back instead of to and fro. What the log does not know, because
    an earlier release moved the alias, is seen at the next move and put on top.
    """
    stack: list[UUID] = []
    for move in moves:
        _put(stack, move.from_model_id)
        if move.kind == ROLLED_BACK and move.to_model_id in stack:
            del stack[stack.index(move.to_model_id) + 1 :]
        elif move.kind != REMOVED:
            _put(stack, move.to_model_id)
    _put(stack, present)
    return stack if present is None else stack[:-1]


def _put(stack: list[UUID], model_id: UUID | None) -> None:
    if model_id is not None and (not stack or stack[-1] != model_id):
        stack.append(model_id)


def moves_of(session: Session, project_id: UUID, name: str, alias: str) -> Sequence[Any]:
    """In the order in which they happened."""
    query = select(
        AliasHistoryRow.kind, AliasHistoryRow.from_model_id, AliasHistoryRow.to_model_id
    ).where(
        AliasHistoryRow.project_id == project_id,
        AliasHistoryRow.name == name,
        AliasHistoryRow.alias == alias,
    )
    return session.execute(query.order_by(AliasHistoryRow.seq)).all()


def list_history(
    session: Session,
    project_id: UUID,
    name: str,
    *,
    alias: str | None = None,
    limit: int = 50,
    before_seq: int | None = None,
) -> Sequence[AliasHistoryRow]:
    """Of a name, newest first."""
    query = select(AliasHistoryRow).where(
        AliasHistoryRow.project_id == project_id, AliasHistoryRow.name == name
    )
    if alias is not None:
        query = query.where(AliasHistoryRow.alias == alias)
    if before_seq is not None:
        query = query.where(AliasHistoryRow.seq < before_seq)
    return session.scalars(query.order_by(AliasHistoryRow.seq.desc()).limit(limit)).all()


def made_by_key(
    session: Session, project_id: UUID, name: str, alias: str, *, by: str, key: str
) -> AliasHistoryRow | None:
    """The move that a request of this caller with this Idempotency-Key has made already."""
    query = select(AliasHistoryRow).where(
        AliasHistoryRow.project_id == project_id,
        AliasHistoryRow.name == name,
        AliasHistoryRow.alias == alias,
        AliasHistoryRow.created_by == by,
        AliasHistoryRow.labels.contains({_KEY: key}),
    )
    return session.scalar(query.order_by(AliasHistoryRow.seq.desc()).limit(1))


def append(
    session: Session,
    *,
    kind: str,
    alias: str,
    before: ModelVersionRow | None,
    after: ModelVersionRow | None,
    by: str,
    note: str,
    evaluation_id: UUID | None = None,
    gate: dict[str, Any] | None = None,
    key: str | None = None,
) -> None:
    """One of `before` and `after` is there: they are versions of one name. `key`: the request's
    Idempotency-Key.
    """
    named = after or before
    if named is None:
        raise ValueError("a move from nowhere to nowhere")
    session.add(
        AliasHistoryRow(
            project_id=named.project_id,
            name=named.name,
            alias=alias,
            kind=kind,
            from_model_id=before.id if before else None,
            from_number=before.number if before else None,
            to_model_id=after.id if after else None,
            to_number=after.number if after else None,
            note=note,
            evaluation_id=evaluation_id,
            gate=gate,
            created_by=by,
            labels={} if key is None else {_KEY: key},
        )
    )
    told = ModelPromoted(
        name=named.name,
        alias=alias,
        reason=kind,
        from_version=before.number if before else None,
        to_version=after.number if after else None,
        model_id=str(after.id) if after else None,
        note=note,
        by=by,
    )
    subject = f"registry/{named.name}"
    record(cursor_of(session), [NewEvent(project_id=named.project_id, subject=subject, data=told)])
