"""Webhooks: addresses that events of the project are sent to."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithResources
from api.errors import request_id_of
from api.once import Once
from api.paging import WithPage
from api.preconditions import IfMatch, IfNoneMatch, etag_of_version, expected
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.problem import PROBLEMS
from api.schemas.webhook import (
    WebhookAnswer,
    WebhookCreate,
    WebhookPage,
    WebhookPatch,
    WebhookRotate,
    WebhookWithSecret,
    webhook_json,
)
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.db.events import WebhookRow
from app.webhooks import records
from app.webhooks.policy import policy_of
from app.webhooks.records import NewWebhook
from app.webhooks.signing import KeyRing

router = APIRouter(route_class=Guarded, prefix="/webhooks", tags=["webhooks"], responses=PROBLEMS)


@router.get("", response_model=WebhookPage, dependencies=[needs(Right.READ)])
def get_webhooks(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Newest first."""
    with resources.database.session() as session:
        rows = records.list_webhooks(
            session, caller.project_id, limit=page.rows, before=page.before_id
        )
    return page.answer(rows, webhook_json)


@router.post(
    "", response_model=WebhookWithSecret, status_code=201, dependencies=[needs(Right.WATCH_OWN)]
)
def create(
    body: WebhookCreate,
    request: Request,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """It is sent what happens from now on. `secret` is shown in this answer only; the receiver
    verifies signatures with it (Standard Webhooks).
    """
    keys, policy = KeyRing(resources.settings), policy_of(resources.settings)
    new = NewWebhook(
        project_id=caller.project_id,
        url=body.url,
        by=caller.name,
        types=body.types,
        filter=dict(body.filter),
        description=body.description,
        labels=dict(body.labels),
    )
    with resources.database.session() as session:
        once = Once(
            session, caller, "POST /webhooks", idempotency_key, body.model_dump(mode="json")
        )
        if once.made is not None:
            row = records.find(session, caller.project_id, once.made)
        else:
            row = records.create(session, new, keys, policy)
            once.remember(row.id)
            _audit(session, request, caller, "webhooks.create", row, types=row.types)
        return _with_secret(row, keys, once, status=201)


@router.get("/{webhook_id}", response_model=WebhookAnswer, dependencies=[needs(Right.READ)])
def get_webhook(
    webhook_id: UUID, caller: Caller, resources: WithResources, if_none_match: IfNoneMatch = None
) -> Response:
    """Without its secret."""
    with resources.database.session() as session:
        row = records.find(session, caller.project_id, webhook_id)
    etag = etag_of_version(row.version)
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers={"ETag": etag})
    return _answer(row)


@router.patch("/{webhook_id}", response_model=WebhookAnswer, dependencies=[needs(Right.WATCH_OWN)])
def patch(
    webhook_id: UUID,
    body: WebhookPatch,
    request: Request,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """Its address, what it is sent, or whether: what happened while it was paused or disabled is
    sent by a replay only.
    """
    fields = body.model_dump(exclude_unset=True, exclude_none=True)
    with resources.database.session() as session:
        row = records.locked(session, caller.project_id, webhook_id, expected=expected(if_match))
        require_own_webhook(caller, row)
        records.change(session, row, fields, policy_of(resources.settings))
        _audit(session, request, caller, "webhooks.update", row, fields=sorted(fields))
        return _answer(row)


@router.delete("/{webhook_id}", status_code=204, dependencies=[needs(Right.WATCH_OWN)])
def remove(
    webhook_id: UUID,
    request: Request,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """Nothing is sent to it any more."""
    with resources.database.session() as session:
        row = records.locked(session, caller.project_id, webhook_id, expected=expected(if_match))
        require_own_webhook(caller, row)
        records.archive(session, row)
        _audit(session, request, caller, "webhooks.archive", row)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate", response_model=WebhookWithSecret, dependencies=[needs(Right.WATCH_OWN)]
)
def rotate(
    webhook_id: UUID,
    body: WebhookRotate,
    request: Request,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Another secret, shown in this answer only. Until the overlap is over each message carries the
    signatures of both.
    """
    keys = KeyRing(resources.settings)
    with resources.database.session() as session:
        route = f"POST /webhooks/{webhook_id}/rotate"
        once = Once(session, caller, route, idempotency_key, body.model_dump(mode="json"))
        row = records.locked(session, caller.project_id, webhook_id)
        require_own_webhook(caller, row)
        if once.made is None:
            records.rotate(session, row, keys, overlap_seconds=body.overlap_seconds)
            once.remember(row.id)
            overlap = body.overlap_seconds
            _audit(session, request, caller, "webhooks.rotate", row, overlap_seconds=overlap)
        return _with_secret(row, keys, once, status=200)


def require_own_webhook(caller: Principal, row: WebhookRow) -> None:
    """Raises Forbidden."""
    caller.require_own(row.created_by, Right.WATCH_OWN, Right.WATCH)


def _audit(
    session: Session,
    request: Request,
    caller: Principal,
    action: str,
    row: WebhookRow,
    **details: object,
) -> None:
    """Of the address only the host: the rest of it may be a secret."""
    audit.record(
        session,
        caller,
        action,
        f"webhooks/{row.id}",
        request_id=request_id_of(request),
        host=records.host_of(row),
        **details,
    )


def _answer(row: WebhookRow) -> Response:
    return json_response(webhook_json(row), headers={"ETag": etag_of_version(row.version)})


def _with_secret(row: WebhookRow, keys: KeyRing, once: Once, *, status: int) -> Response:
    """Sent again it shows the secret of the first answer while that is the present one."""
    headers = {"ETag": etag_of_version(row.version), "Cache-Control": "no-store"}
    headers |= {"Location": f"/api/v1/webhooks/{row.id}"} if status == 201 else {}  # noqa: PLR2004
    headers |= once.headers
    body = {**webhook_json(row), "secret": records.secret_of(row, keys)}
    return json_response(body, status=status, headers=headers)
