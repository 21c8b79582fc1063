"""API keys: administrators make, list, rotate and revoke them; everybody sees his own."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session

from api.dependencies import Caller, KeyCache, WithResources
from api.errors import request_id_of
from api.once import Once
from api.paging import WithPage
from api.responses import json_response
from api.rights import KNOWN, Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.key import (
    KeyAnswer,
    KeyPage,
    KeyRequest,
    NewKeyAnswer,
    RotateRequest,
    WhoAmI,
    key_json,
    time_in,
    whoami_json,
)
from api.schemas.problem import PROBLEMS, ProblemDocument
from app.access.key_admin import get_key, list_keys, make_key, revoke_key, rotate_key
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import Conflict
from app.core.requests import RequestModel
from app.db.projects import ApiKeyRow

_CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": ProblemDocument, "description": "The state of the keys does not allow it"}
}
router = APIRouter(
    route_class=Guarded, prefix="/keys", tags=["keys"], responses=PROBLEMS | _CONFLICT
)

#: the eight characters behind rt_
Prefix = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$")]


@router.get("/whoami", response_model=WhoAmI, dependencies=[KNOWN])
def whoami(caller: Caller, resources: WithResources) -> Response:
    """Who you are here, your role, and what you may do."""
    with resources.database.session() as session:
        row = None if caller.key_id is None else session.get(ApiKeyRow, caller.key_id)
    return json_response(whoami_json(caller, row))


@router.get("", response_model=KeyPage, dependencies=[needs(Right.ACCESS_WRITE)])
def get_keys(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Newest first, those that have ended too; never a secret."""
    with resources.database.session() as session:
        rows = list_keys(session, caller.project_id, limit=page.rows, before_id=page.before_id)
    return page.answer(rows, key_json)


@router.post(
    "", status_code=201, response_model=NewKeyAnswer, dependencies=[needs(Right.ACCESS_WRITE)]
)
def create(
    request: KeyRequest,
    http: Request,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new key; `key` is its text, which is shown this once: with the same Idempotency-Key the
    answer is 409 `key_made_before`. None gets more than its maker has.
    """
    with resources.database.session() as session:
        once = _once(session, caller, "POST /keys", idempotency_key, request)
        row, text = make_key(session, caller, request.spec(), request_id=request_id_of(http))
        once.remember(row.id)
        body = key_json(row)
    headers = {"Location": f"/api/v1/keys/{body['prefix']}"}
    return json_response({**body, "key": text}, status=201, headers=headers)


@router.get("/{prefix}", response_model=KeyAnswer, dependencies=[needs(Right.ACCESS_WRITE)])
def one(prefix: Prefix, caller: Caller, resources: WithResources) -> Response:
    """Role, scopes, networks, end and last use."""
    with resources.database.session() as session:
        return json_response(key_json(get_key(session, caller.project_id, prefix)))


@router.post(
    "/{prefix}/rotate",
    status_code=201,
    response_model=NewKeyAnswer,
    dependencies=[needs(Right.ACCESS_WRITE)],
)
def rotate(
    prefix: Prefix,
    http: Request,
    caller: Caller,
    resources: WithResources,
    request: RotateRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new key that may do the same; the old one works for `overlap_seconds` more. With the same
    Idempotency-Key: 409 `key_made_before`.
    """
    asked = request or RotateRequest()
    with resources.database.session() as session:
        once = _once(session, caller, f"POST /keys/{prefix}/rotate", idempotency_key, asked)
        row, text = rotate_key(
            session,
            caller,
            prefix,
            overlap=timedelta(seconds=asked.overlap_seconds),
            expires_at=time_in(asked.expires_in_seconds),
            request_id=request_id_of(http),
        )
        once.remember(row.id)
        body = key_json(row)
    _forget(http)
    headers = {"Location": f"/api/v1/keys/{body['prefix']}"}
    return json_response({**body, "key": text}, status=201, headers=headers)


@router.delete("/{prefix}", response_model=KeyAnswer, dependencies=[needs(Right.ACCESS_WRITE)])
def revoke(prefix: Prefix, http: Request, caller: Caller, resources: WithResources) -> Response:
    """It stops working: here at once, in other gateways within five seconds. The last one that can
    give keys stays.
    """
    with resources.database.session() as session:
        row = revoke_key(session, caller, prefix, request_id=request_id_of(http))
        body = key_json(row)
    _forget(http)
    return json_response(body)


def _once(
    session: Session, caller: Principal, route: str, key: str | None, request: RequestModel
) -> Once:
    """Raises Conflict (`key_made_before`): the text of a key is kept nowhere, so that the first
    answer cannot be given again.
    """
    once = Once(session, caller, route, key, request.model_dump(mode="json"))
    if once.made is not None:
        row = session.get_one(ApiKeyRow, once.made)
        raise Conflict(
            f"the first request with this Idempotency-Key made the key {row.prefix} ({row.name}); "
            "its text was in that answer only",
            code="key_made_before",
            remedy=f"If that answer is lost, rotate the key (POST /api/v1/keys/{row.prefix}/rotate "
            "with another Idempotency-Key shows a new text), or revoke it and ask anew.",
        )
    return once


def _forget(http: Request) -> None:
    keys: KeyCache = http.app.state.keys
    keys.forget()
