"""Names of models and the aliases that point to versions: promote and roll back."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import collate, select
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.core.errors import NotFound
from app.core.requests import RequestModel
from app.db.models import AliasRow, ModelVersionRow
from app.models.records import list_models, resolve_model, set_alias

router = APIRouter(prefix="/registry", tags=["registry"], responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class AliasRequest(RequestModel):
    #: version number of the name
    version: int = Field(ge=1)
    note: str = Field(default="", max_length=1_000)


@router.get("")
def names(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Names in alphabetical order, each with its newest version and aliases."""
    name = collate(ModelVersionRow.name, "C")  # the order of code points, whatever the locale
    query = select(ModelVersionRow.name).where(
        ModelVersionRow.project_id == caller.project_id, ModelVersionRow.state != "archived"
    )
    if page.after_name is not None:
        query = query.where(name > page.after_name)
    with resources.database.session() as session:
        rows = session.execute(
            query.group_by(ModelVersionRow.name).order_by(name).limit(page.rows)
        ).all()
        return page.answer(rows, lambda row: _entry(session, caller, row.name), place="name")


@router.get("/{name}")
def one(name: Name, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        return json_response(_entry(session, caller, name))


@router.put("/{name}/aliases/{alias}")
def point(
    name: Name, alias: Name, request: AliasRequest, caller: Caller, resources: WithResources
) -> Response:
    """Point the alias to a version; pointing it back is the rollback."""
    with resources.database.session() as session:
        model = resolve_model(session, caller.project_id, f"{name}:{request.version}")
        row = set_alias(session, model=model, alias=alias, by=caller.name, note=request.note)
        return json_response(_alias(row, model.number))


@router.delete("/{name}/aliases/{alias}", status_code=204)
def remove(name: Name, alias: Name, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = session.get(AliasRow, (caller.project_id, name, alias))
        if row is None:
            raise NotFound(f"{name} has no alias {alias!r}")
        session.delete(row)
    return Response(status_code=204)


def _entry(session: Session, caller: Principal, name: str) -> dict[str, Any]:
    versions = list_models(session, caller.project_id, name=name, limit=200)
    if not versions:
        raise NotFound(f"there is no model {name!r}")
    numbers = {row.id: row.number for row in versions}
    aliases = session.scalars(
        select(AliasRow).where(AliasRow.project_id == caller.project_id, AliasRow.name == name)
    )
    return {
        "name": name,
        "versions": sorted(numbers.values()),
        "newest": max(numbers.values()),
        "aliases": [_alias(row, numbers.get(row.model_id)) for row in aliases],
    }


def _alias(row: AliasRow, number: int | None) -> dict[str, Any]:
    return {
        "alias": row.alias,
        "version": number,
        "note": row.note,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    }
