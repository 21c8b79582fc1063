"""Endpoints: names that route predictions to model versions, changed revision by revision."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.dependencies import Caller, WithResources
from api.once import REPLAYED
from api.paging import WithPage
from api.preconditions import IfMatch, IfNoneMatch, etag_of_version, expected
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.endpoint import (
    EndpointAnswer,
    EndpointCreate,
    EndpointPage,
    EndpointPatch,
    EndpointPut,
    RevisionAnswer,
    RevisionPage,
    RollbackRequest,
    endpoint_json,
)
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import NotFound
from app.endpoints import records
from app.endpoints.active import find_endpoint
from app.endpoints.records import Check, Notices, Stored, Wanted
from app.endpoints.revisions import find_number
from app.endpoints.shadowing import check_shadows_only
from app.endpoints.spec import EndpointSpec
from app.jobs.submit import IdempotencyKey as StoredKey
from app.resources import Resources
from workers.interactive import ask

router = APIRouter(route_class=Guarded, prefix="/endpoints", tags=["endpoints"], responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


def checker(resources: Resources) -> Check:
    """By a worker: the gateway holds no model."""

    def check(model_id: UUID, anew: bool) -> str:
        question = {"question": "check_model", "model_id": str(model_id), "anew": anew}
        answer = ask(resources, question, resources.settings.interactive_timeout_seconds)
        return str(answer["inputs"])

    return check


def answer(stored: Stored, *, status: int = 200) -> Response:
    headers = {"ETag": etag_of_version(stored.endpoint.version)}
    if status == 201:  # noqa: PLR2004 - created
        headers["Location"] = f"/api/v1/endpoints/{stored.endpoint.name}"
    if stored.replayed:
        headers |= REPLAYED
    return json_response(endpoint_json(stored), status=status, headers=headers)


@router.get("", response_model=EndpointPage, dependencies=[needs(Right.READ)])
def get_endpoints(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """By name, without archived ones."""
    with resources.database.session() as session:
        found = records.list_endpoints(
            session, caller.project_id, limit=page.rows, after_name=page.after_name
        )
    shown = found[: page.limit]
    last = shown[-1].endpoint.name if len(found) > page.limit else None
    return page.answer_until([endpoint_json(stored) for stored in shown], last)


@router.post(
    "", response_model=EndpointAnswer, status_code=201, dependencies=[needs(Right.ENDPOINTS_WRITE)]
)
def create(
    request: EndpointCreate,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new endpoint. Its models are loaded and checked by hash first: an altered file is refused
    (409 `model_altered`).
    """
    said = request.model_dump(mode="json")
    once = StoredKey.of(caller.project_id, caller.name, "endpoints", idempotency_key, said)
    return _put(
        request.name, request, caller, resources, if_match=None, must_be_new=True, once=once
    )


@router.get("/{name}", response_model=EndpointAnswer, dependencies=[needs(Right.READ)])
def get_endpoint(
    name: Name, caller: Caller, resources: WithResources, if_none_match: IfNoneMatch = None
) -> Response:
    with resources.database.session() as session:
        stored = records.get(session, caller.project_id, name)
    etag = etag_of_version(stored.endpoint.version)
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers={"ETag": etag})
    return answer(stored)


@router.put("/{name}", response_model=EndpointAnswer, dependencies=[needs(Right.ENDPOINTS_SHADOW)])
def put(
    name: Name,
    request: EndpointPut,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """A new revision, or the endpoint if there is none (201). One that exists asks for If-Match.
    Until every model was loaded and checked the revision before goes on answering. Scientists
    change shadows only.
    """
    if not caller.may(Right.ENDPOINTS_WRITE):
        if_match = _shadows_only(resources, caller, name, request.spec(), if_match)
    return _put(name, request, caller, resources, if_match=if_match, must_be_new=False)


def _shadows_only(
    resources: Resources, caller: Principal, name: str, wanted: EndpointSpec, if_match: str | None
) -> str | None:
    """The precondition under which what was looked at is still there. Raises Forbidden."""
    with resources.database.session() as session:
        stored = records.get(session, caller.project_id, name)
        check_shadows_only(session, caller, stored, wanted)
    return etag_of_version(stored.endpoint.version) if expected(if_match) == "any" else if_match


def _note_before(resources: Resources, caller: Principal, name: str) -> None:
    """For the audit log: the revision that answers now, if there is one."""
    with resources.database.session() as session, suppress(NotFound):
        stored = records.get(session, caller.project_id, name)
        before = {"revision": stored.revision.number, "spec": stored.revision.spec}
        audit.note(before=before, revision_before=stored.revision.number)


def _put(
    name: str,
    request: EndpointPut,
    caller: Principal,
    resources: Resources,
    *,
    if_match: str | None,
    must_be_new: bool,
    once: StoredKey | None = None,
) -> Response:
    wanted = Wanted(
        spec=request.spec(),
        by=caller.name,
        note=request.note,
        description=request.description,
        labels=request.labels,
    )
    _note_before(resources, caller, name)
    stored, is_new = records.put(
        resources.database,
        caller.project_id,
        name,
        wanted,
        Notices.of(resources),
        check=checker(resources),
        expected=expected(if_match),
        must_be_new=must_be_new,
        once=once,
    )
    return answer(stored, status=201 if is_new else 200)


@router.patch(
    "/{name}", response_model=EndpointAnswer, dependencies=[needs(Right.ENDPOINTS_SHADOW)]
)
def patch(
    name: Name,
    request: EndpointPatch,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """The fields that are named, in a new revision; of description and labels alone without one.
    Scientists change shadows only.
    """
    _note_before(resources, caller, name)
    changes = request.changes()
    if not changes:
        stored = records.relabel(
            resources.database,
            caller.project_id,
            name,
            expected=expected(if_match),
            description=request.description,
            labels=request.labels,
        )
        return answer(stored)
    with resources.database.session() as session:
        before = records.get(session, caller.project_id, name)
        spec = EndpointSpec.model_validate({**_fields(before), **changes})
        check_shadows_only(session, caller, before, spec)
    version = expected(if_match)
    wanted = Wanted(
        spec=spec,
        by=caller.name,
        note=request.note,
        description=request.description,
        labels=request.labels,
    )
    stored, _ = records.put(
        resources.database,
        caller.project_id,
        name,
        wanted,
        Notices.of(resources),
        check=checker(resources),
        # what the changes were added to must still be there
        expected=before.endpoint.version if version == "any" else version,
    )
    return answer(stored)


def _fields(stored: Stored) -> dict[str, object]:
    spec = EndpointSpec.model_validate(stored.revision.spec)
    return {name: getattr(spec, name) for name in EndpointSpec.model_fields}


@router.delete("/{name}", status_code=204, dependencies=[needs(Right.ENDPOINTS_WRITE)])
def archive(
    name: Name, caller: Caller, resources: WithResources, if_match: IfMatch = None
) -> Response:
    """Hidden, and answering no more. Its revisions are kept; PUT of the name revives it."""
    _note_before(resources, caller, name)
    records.archive(
        resources.database,
        caller.project_id,
        name,
        Notices.of(resources),
        expected=expected(if_match),
    )
    return Response(status_code=204)


@router.get("/{name}/revisions", response_model=RevisionPage, dependencies=[needs(Right.READ)])
def revisions(name: Name, caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Newest first: who changed what, when, why."""
    with resources.database.session() as session:
        endpoint = find_endpoint(session, caller.project_id, name)
        rows = records.list_revisions(session, endpoint, limit=page.rows, before_id=page.before_id)
    return page.answer(rows, records.describe)


@router.get(
    "/{name}/revisions/{number}", response_model=RevisionAnswer, dependencies=[needs(Right.READ)]
)
def revision(
    name: Name,
    number: Annotated[int, Path(ge=1, le=2**53)],
    caller: Caller,
    resources: WithResources,
) -> Response:
    with resources.database.session() as session:
        endpoint = find_endpoint(session, caller.project_id, name)
        return json_response(records.describe(find_number(session, endpoint, number)))


@router.post(
    "/{name}/rollback",
    response_model=EndpointAnswer,
    dependencies=[needs(Right.ENDPOINTS_ROLLBACK)],
)
def rollback(
    name: Name,
    request: RollbackRequest,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The revision before (or the one that is named) once more, with the versions that it had; a
    running canary ends. One transaction; If-Match is optional.
    """
    _note_before(resources, caller, name)
    route, said = f"endpoints/{name}/rollback", request.model_dump(mode="json")
    once = StoredKey.of(caller.project_id, caller.name, route, idempotency_key, said)
    stored = records.roll_back(
        resources.database,
        caller.project_id,
        name,
        Notices.of(resources),
        by=caller.name,
        note=request.note,
        to=request.revision,
        expected=expected(if_match) or "any",
        once=once,
    )
    return answer(stored)
