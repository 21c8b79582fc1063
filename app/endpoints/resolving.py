"""The model versions that a spec names, and whether they fit into one endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import FieldError, InvalidInput, NotFound
from app.db.models import ModelVersionRow
from app.endpoints.spec import EndpointSpec
from app.models.records import resolve_model

#: {model reference: {"model_id", "name", "number"}}, as a revision stores it
Resolved = dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the references of a spec mean now."""

    resolved: Resolved
    model_ids: tuple[UUID, ...]


def resolve(session: Session, project_id: UUID, spec: EndpointSpec) -> Found:
    """Raises NotFound and InvalidInput (`invalid_endpoint`) with pointers to what is wrong."""
    rows: dict[str, ModelVersionRow] = {}
    places: dict[str, str] = {}
    for pointer, text, _ in spec.references():
        if text not in rows:
            rows[text], places[text] = _version(session, project_id, text, pointer), pointer
    _check_doubles(spec, rows)
    _check_alike(rows, places)
    resolved = {text: entry_of(row) for text, row in rows.items()}
    return Found(resolved=resolved, model_ids=tuple({row.id: None for row in rows.values()}))


def entry_of(row: ModelVersionRow) -> dict[str, Any]:
    return {"model_id": str(row.id), "name": row.name, "number": row.number}


def ids_in(resolved: Resolved) -> list[UUID]:
    """Of the versions, in the order of the references."""
    return [UUID(entry["model_id"]) for entry in resolved.values()]


def lock_models(session: Session, model_ids: Sequence[UUID]) -> None:
    """Until this transaction ends none of them can be archived. Raises InvalidInput when one is."""
    rows = session.execute(
        select(ModelVersionRow.name, ModelVersionRow.number, ModelVersionRow.state)
        .where(ModelVersionRow.id.in_(model_ids))
        .order_by(ModelVersionRow.id)
        .with_for_update(read=True)
    ).all()
    gone = [f"{row.name}:{row.number}" for row in rows if row.state == "archived"]
    if gone or len(rows) < len(set(model_ids)):
        detail = ", ".join(gone) or "a model of the revision"
        raise InvalidInput(
            f"{detail} is archived: an endpoint cannot serve it",
            code="model_archived",
            remedy="Restore it, or name another version.",
        )


def _version(session: Session, project_id: UUID, text: str, pointer: str) -> ModelVersionRow:
    try:
        row = resolve_model(session, project_id, text)
    except (NotFound, InvalidInput) as error:
        error.errors = [FieldError(pointer=pointer, code="model", detail=error.detail)]
        raise
    if row.state == "archived":
        raise InvalidInput(
            f"{text} is archived: an endpoint cannot serve it",
            code="model_archived",
            remedy="Restore it, or name another version.",
            errors=[FieldError(pointer=pointer, code="archived", detail=f"{text} is archived")],
        )
    return row


def _check_doubles(spec: EndpointSpec, rows: Mapping[str, ModelVersionRow]) -> None:
    """Two live arms of one version could not be told apart in any metric."""
    live = [route.model for route in spec.live]
    live += [] if spec.canary is None else [spec.canary.model]
    seen: dict[UUID, str] = {}
    for text in live:
        other = seen.setdefault(rows[text].id, text)
        if other != text:
            row = rows[text]
            raise _unfit("/routes", f"{other} and {text} are one version, {row.name}:{row.number}")
    if spec.fallback is not None and list(seen) == [rows[spec.fallback.model].id]:
        raise _unfit("/fallback/model", "it is the very version that it would step in for")


def _check_alike(rows: Mapping[str, ModelVersionRow], places: Mapping[str, str]) -> None:
    """A caller gets answers of one form, whichever arm gives them."""
    first_text, first = next(iter(rows.items()))
    for text, row in rows.items():
        for what, mine, its in (
            ("is a model of", first.task, row.task),
            ("predicts", _targets(first), _targets(row)),
        ):
            if mine != its:
                detail = f"{text} {what} {its}, but {first_text} {what} {mine}"
                raise _unfit(places[text], detail)


def _targets(row: ModelVersionRow) -> str:
    return ", ".join(
        sorted(
            f"{target['name']}{sorted(target['classes']) if target.get('classes') else ''}"
            for target in row.targets
        )
    )


def _unfit(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(
        detail,
        code="invalid_endpoint",
        errors=[FieldError(pointer=pointer, code="unfit", detail=detail)],
    )
