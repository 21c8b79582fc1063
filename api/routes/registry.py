"""Names of models: what versions and aliases each has, and what is said of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import collate, select
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from api.schemas.registry import NameAnswer, NamePage, NamePatch, alias_json
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import NotFound
from app.db.models import AliasRow, ModelVersionRow
from app.db.registry import RegistryNameRow
from app.models.records import list_models
from app.registry.naming import change_name

router = APIRouter(route_class=Guarded, prefix="/registry", tags=["registry"], responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


@router.get("", response_model=NamePage, dependencies=[needs(Right.READ)])
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


@router.get("/{name}", response_model=NameAnswer, dependencies=[needs(Right.READ)])
def one(name: Name, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        return json_response(_entry(session, caller, name))


@router.patch("/{name}", response_model=NameAnswer, dependencies=[needs(Right.DATA_WRITE)])
def describe(name: Name, request: NamePatch, caller: Caller, resources: WithResources) -> Response:
    """Labels and description of a name; its versions have their own."""
    with resources.database.session() as session:
        before = _said(_entry(session, caller, name))
        change = request.model_dump(exclude_unset=True, exclude_none=True)
        if request.labels is not None:
            change["labels"] = dict(request.labels)
        change_name(session, caller.project_id, name, change)
        found = _entry(session, caller, name)
        after = _said(found)
        audit.record(
            session, caller, "registry.change", f"registry/{name}", before=before, after=after
        )
        return json_response(found)


def _said(entry: dict[str, Any]) -> dict[str, Any]:
    return {"labels": entry["labels"], "description": entry["description"]}


def _entry(session: Session, caller: Principal, name: str) -> dict[str, Any]:
    versions = list_models(session, caller.project_id, name=name, limit=200)
    if not versions:
        raise NotFound(f"there is no model {name!r}")
    numbers = {row.id: row.number for row in versions}
    aliases = session.scalars(
        select(AliasRow)
        .where(AliasRow.project_id == caller.project_id, AliasRow.name == name)
        .order_by(AliasRow.alias)
    )
    said = session.get(RegistryNameRow, (caller.project_id, name))
    return {
        "name": name,
        "versions": sorted(numbers.values()),
        "newest": max(numbers.values()),
        "aliases": [alias_json(row, _number(session, numbers, row)) for row in aliases],
        "labels": said.labels if said else {},
        "description": said.description if said else "",
    }


def _number(session: Session, known: dict[Any, int], row: AliasRow) -> int:
    """Of an old version too, which is not among those that are listed."""
    if row.model_id in known:
        return known[row.model_id]
    return session.get_one(ModelVersionRow, row.model_id).number
