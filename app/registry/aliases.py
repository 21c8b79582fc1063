"""Moving an alias: planned, checked by a worker, then done in one transaction, or not at all.

What was checked must still hold when the alias is moved: who bears it, the policy, and that the
version is not archived are read again under a lock that every move of this alias takes.
"""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound, PreconditionFailed
from app.db.evaluations import EvaluationRow
from app.db.models import AliasRow, ModelVersionRow
from app.db.registry import AliasPolicyRow
from app.models.records import resolve_model
from app.models.reference import alias_word
from app.registry import history
from app.registry.policies import policy_json


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One move of an alias, as it was meant when it was asked for."""

    project_id: UUID
    name: str
    alias: str
    #: promoted | rolled_back
    kind: str
    model_id: UUID
    #: who bears it now; None: nobody
    holder_id: UUID | None
    #: what must be fulfilled; None: nothing
    policy: dict[str, Any] | None = None
    #: what is said to speak for the version
    evaluation_id: UUID | None = None

    def question(self, policy: dict[str, Any] | None, approver: str) -> dict[str, Any]:
        """As app/registry/questions.py answers it."""
        return {
            "question": "registry_move",
            "model_id": str(self.model_id),
            "holder_id": None if self.holder_id is None else str(self.holder_id),
            "policy": policy,
            "approver": approver,
            "evaluation_id": None if self.evaluation_id is None else str(self.evaluation_id),
        }


@dataclass(frozen=True, kw_only=True)
class Moved:
    alias: AliasRow
    number: int
    #: the version that bore it before
    before: int | None
    gate: dict[str, Any] | None = None


def plan_promotion(
    session: Session,
    project_id: UUID,
    name: str,
    number: int,
    alias: str,
    *,
    evaluation_id: UUID | None = None,
) -> Plan:
    """Raises NotFound for a version, or an evaluation of it, that is not there, Conflict for an
    archived version.
    """
    word = alias_word(alias)
    model = _version(session, project_id, name, number)
    if evaluation_id is not None:
        _check_evaluation(session, model, evaluation_id)
    policy = session.get(AliasPolicyRow, (project_id, name, word))
    return Plan(
        project_id=project_id,
        name=name,
        alias=word,
        kind=history.PROMOTED,
        model_id=model.id,
        holder_id=_holder(session, project_id, name, word),
        policy=None if policy is None else policy_json(session, policy),
        evaluation_id=evaluation_id,
    )


def plan_rollback(
    session: Session, project_id: UUID, name: str, alias: str, *, number: int | None = None
) -> Plan:
    """Back to who bore the alias before, or to the earlier holder `number`. Raises NotFound for an
    alias that never was, Conflict when there is no earlier holder, or it is archived.
    """
    word = alias_word(alias)
    present = _holder(session, project_id, name, word)
    moves = history.moves_of(session, project_id, name, word)
    if present is None and not moves:
        raise NotFound(
            f"{name} has no alias {word!r}, and never had",
            remedy=f"What there is: GET /api/v1/registry/{name}.",
        )
    earlier = history.holders(moves, present)
    if number is not None:
        asked = session.scalars(
            _of_number(project_id, name, number).with_only_columns(ModelVersionRow.id)
        ).first()
        earlier = earlier[: earlier.index(asked) + 1] if asked in earlier else []
    if not earlier:
        which = "an earlier holder" if number is None else f"version {number} among its holders"
        raise Conflict(
            f"{name}@{word} has not had {which}, so there is nothing to go back to",
            code="no_earlier_holder",
        )
    model = session.get(ModelVersionRow, earlier[-1])
    if model is None or model.state == "archived":
        raise _archived(name, None if model is None else model.number, word)
    return Plan(
        project_id=project_id,
        name=name,
        alias=word,
        kind=history.ROLLED_BACK,
        model_id=model.id,
        holder_id=present,
    )


def move(
    session: Session,
    plan: Plan,
    *,
    by: str,
    note: str = "",
    if_match: str | None = None,
    key: str | None = None,
    gate: dict[str, Any] | None = None,
) -> Moved:
    """Do what was planned; `key` is the request's Idempotency-Key. Serving processes are to be told
    before (`app.models.warming`): whoever asks by the alias, or an endpoint that follows it, is to
    meet a loaded model.

    Raises Conflict when something has changed since, PreconditionFailed when the alias is not what
    `if_match` (an ETag) says.
    """
    named = (plan.project_id, plan.name, plan.alias)
    _lock(session, named)
    row = session.get(AliasRow, named, populate_existing=True)
    check_etag(row, if_match)
    _still_holds(session, plan, row)
    model = session.get_one(
        ModelVersionRow, plan.model_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if model.state == "archived":
        raise _archived(plan.name, model.number, plan.alias)
    before = session.get(ModelVersionRow, row.model_id) if row is not None else None
    if row is None:
        row = AliasRow(project_id=plan.project_id, name=plan.name, alias=plan.alias)
        session.add(row)
    row.model_id, row.note, row.changed_by = model.id, note, by
    row.changed_at = func.clock_timestamp()
    looked_at = (gate or {}).get("evaluation_id")
    history.append(
        session,
        kind=plan.kind,
        alias=plan.alias,
        before=before,
        after=model,
        by=by,
        note=note,
        evaluation_id=UUID(looked_at) if looked_at else plan.evaluation_id,
        gate=gate,
        key=key,
    )
    session.flush()
    session.refresh(row)
    return Moved(
        alias=row, number=model.number, before=before.number if before else None, gate=gate
    )


def moved_already(
    session: Session, project_id: UUID, name: str, alias: str, *, by: str, key: str
) -> Moved | None:
    """What a request with this Idempotency-Key has done, while the alias is as it left it."""
    word = alias_word(alias)
    entry = history.made_by_key(session, project_id, name, word, by=by, key=key)
    row = session.get(AliasRow, (project_id, name, word))
    if entry is None or row is None or entry.to_number is None:
        return None
    return Moved(alias=row, number=entry.to_number, before=entry.from_number, gate=entry.gate)


def remove(
    session: Session, project_id: UUID, name: str, alias: str, *, by: str, if_match: str | None
) -> None:
    """Take the alias away; that it was there stays in the history. Raises NotFound."""
    word = alias_word(alias)
    _lock(session, (project_id, name, word))
    row = session.get(AliasRow, (project_id, name, word))
    if row is None:
        raise NotFound(f"{name} has no alias {word!r}")
    check_etag(row, if_match)
    before = session.get_one(ModelVersionRow, row.model_id)
    session.delete(row)
    history.append(
        session, kind=history.REMOVED, alias=word, before=before, after=None, by=by, note=""
    )


def etag_of(row: AliasRow) -> str:
    """Changes with every move."""
    said = f"{row.model_id}\n{row.changed_at.isoformat()}\n{row.note}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:16]}"'


def check_etag(row: AliasRow | None, if_match: str | None) -> None:
    """Raises PreconditionFailed. `*` stands for any alias that is there."""
    if if_match is None or (row is not None and if_match in ("*", etag_of(row))):
        return
    now = "there is no such alias" if row is None else f"the alias's ETag is {etag_of(row)}"
    raise PreconditionFailed(f"{now} by now, not {if_match[:50]}")


def _still_holds(session: Session, plan: Plan, row: AliasRow | None) -> None:
    held = row.model_id if row is not None else None
    policy = None
    if plan.kind == history.PROMOTED:
        found = session.get(
            AliasPolicyRow, (plan.project_id, plan.name, plan.alias), populate_existing=True
        )
        policy = None if found is None else policy_json(session, found)
    if held != plan.holder_id or policy != plan.policy:
        raise Conflict(
            f"{plan.name}@{plan.alias} or its policy was changed while the version was checked",
            code="alias_changed",
        )


def _lock(session: Session, key: tuple[UUID, str, str]) -> None:
    """Others that move this alias wait until this transaction has ended."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 3))"),
        {"key": ":".join(map(str, key))},
    )


def _holder(session: Session, project_id: UUID, name: str, alias: str) -> UUID | None:
    row = session.get(AliasRow, (project_id, name, alias))
    return None if row is None else row.model_id


def _of_number(project_id: UUID, name: str, number: int) -> Select[ModelVersionRow]:
    return select(ModelVersionRow).where(
        ModelVersionRow.project_id == project_id,
        ModelVersionRow.name == name,
        ModelVersionRow.number == number,
    )


def _version(session: Session, project_id: UUID, name: str, number: int) -> ModelVersionRow:
    row: ModelVersionRow | None = session.scalar(_of_number(project_id, name, number))
    if row is None:
        return resolve_model(session, project_id, f"{name}:{number}")  # says what there is
    if row.state == "archived":
        raise _archived(name, number, "an alias")
    return row


def _check_evaluation(session: Session, model: ModelVersionRow, evaluation_id: UUID) -> None:
    found = session.get(EvaluationRow, evaluation_id)
    if found is None or found.model_id != model.id:
        raise NotFound(
            f"there is no evaluation {evaluation_id} of {model.name}:{model.number}",
            remedy=f"List them: GET /api/v1/models/{model.name}:{model.number}/evaluations.",
        )


def _archived(name: str, number: int | None, alias: str) -> Conflict:
    which = f"{name}:{number}" if number else f"the version of {name}"
    return Conflict(
        f"{which} is archived, so {alias} cannot point to it",
        code="model_archived",
        remedy=f"Restore it first (POST /api/v1/models/{name}:{number or '<number>'}/restore), or "
        "promote another version.",
    )
