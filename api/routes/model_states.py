"""Model versions: what is said of them, where they come from, put away and brought back."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.model import ModelAnswer, ModelPatch, model_etag, model_json
from api.schemas.problem import PROBLEMS, ProblemDocument
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import PreconditionFailed
from app.db.jobs import JobRow
from app.db.models import ModelVersionRow
from app.endpoints.active import endpoints_using
from app.models.pointers import announce
from app.models.records import aliases_of, resolve_model
from app.registry.archive import (
    Dependant,
    FindDependants,
    aliases_of_version,
    archive,
    resolve_any,
    resolve_version,
    restore,
)
from app.registry.lineage import lineage_of
from app.registry.naming import change_version

_RESPONSES: dict[int | str, dict[str, object]] = {
    409: {"model": ProblemDocument, "description": "Something depends on it, or it is taken"},
    412: {"model": ProblemDocument, "description": "It has changed since it was read"},
}
router = APIRouter(
    route_class=Guarded, prefix="/models", tags=["models"], responses=PROBLEMS | _RESPONSES
)


def endpoints_of_version(session: Session, row: ModelVersionRow) -> list[Dependant]:
    return [Dependant(kind="endpoint", name=name) for name in endpoints_using(session, row.id)]


#: whatever may depend on a version
DEPENDANTS: tuple[FindDependants, ...] = (aliases_of_version, endpoints_of_version)

Ref = str
IfMatch = Annotated[str | None, Header(max_length=200, description="the version's ETag, or *")]


@router.patch("/{ref}", response_model=ModelAnswer, dependencies=[needs(Right.DATA_WRITE)])
def change(
    ref: Ref,
    request: ModelPatch,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """Labels, description and semantic version are all that may change of a version."""
    with resources.database.session() as session:
        row = _locked(session, resolve_model(session, caller.project_id, ref), if_match)
        said = request.model_dump(exclude_unset=True)
        if request.labels is not None:
            said["labels"] = dict(request.labels)
        else:
            said.pop("labels", None)
        before = _changeable(row)
        change_version(session, row, said)
        _record(session, caller, "models.change", row, before)
        return _shown(session, row)


@router.delete("/{ref}", response_model=ModelAnswer, dependencies=[needs(Right.ARCHIVE_OWN)])
def put_away(
    ref: Ref, caller: Caller, resources: WithResources, if_match: IfMatch = None
) -> Response:
    """Archive a version: hidden from lists and names, restorable. 409 names what depends on it.

    `ref` is its id or `name:3`.
    """
    with resources.database.session() as session:
        row = _locked(session, resolve_version(session, caller.project_id, ref), if_match)
        require_own_version(session, caller, row)
        before = _changeable(row)
        archive(session, row, by=caller.name, finders=DEPENDANTS)
        _record(session, caller, "models.archive", row, before)
        answer = _shown(session, row)
    announce(resources.cache)
    return answer


@router.post("/{ref}/restore", response_model=ModelAnswer, dependencies=[needs(Right.ARCHIVE_OWN)])
def bring_back(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    """Of an archived version; `ref` is its id or `name:3`."""
    with resources.database.session() as session:
        row = _locked(session, resolve_version(session, caller.project_id, ref), None)
        require_own_version(session, caller, row)
        before = _changeable(row)
        restore(session, row)
        _record(session, caller, "models.restore", row, before)
        answer = _shown(session, row)
    announce(resources.cache)
    return answer


@router.get("/{ref}/lineage", dependencies=[needs(Right.READ)])
def lineage(ref: Ref, caller: Caller, resources: WithResources) -> dict[str, Any]:
    """Where it came from and what came of it: file, data set, split, features, code, parents, job,
    aliases, what depends on it, predict jobs.
    """
    with resources.database.session() as session:
        row = resolve_any(session, caller.project_id, ref)
        return lineage_of(session, resources.storage, row, finders=DEPENDANTS)


def require_own_version(session: Session, caller: Principal, row: ModelVersionRow) -> None:
    """Raises Forbidden. A version belongs to who submitted the job that made it."""
    job = None if row.job_id is None else session.get(JobRow, row.job_id)
    owner = row.created_by if job is None else job.created_by
    caller.require_own(owner, Right.ARCHIVE_OWN, Right.ARCHIVE)


def _changeable(row: ModelVersionRow) -> dict[str, Any]:
    columns = ("state", "labels", "description", "semver")
    return {name: getattr(row, name) for name in columns}


def _record(
    session: Session, caller: Principal, action: str, row: ModelVersionRow, before: dict[str, Any]
) -> None:
    session.flush()
    session.refresh(row)
    resource = f"models/{row.name}:{row.number}"
    audit.record(session, caller, action, resource, before=before, after=_changeable(row))


def _locked(session: Session, row: ModelVersionRow, if_match: str | None) -> ModelVersionRow:
    found = session.get_one(ModelVersionRow, row.id, with_for_update=True, populate_existing=True)
    if if_match not in (None, "*", model_etag(found)):
        raise PreconditionFailed(
            f"the ETag of {found.name}:{found.number} is {model_etag(found)} by now"
        )
    return found


def _shown(session: Session, row: ModelVersionRow) -> Response:
    aliases = aliases_of(session, row.project_id, [row.id])
    body = model_json(row, [one.alias for one in aliases])
    return json_response(body, headers={"ETag": model_etag(row)})
