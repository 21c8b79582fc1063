"""What became of the events that were for a webhook; sent again, or tried."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import Caller, WithResources
from api.errors import request_id_of
from api.once import Once
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.routes.webhooks import require_own_webhook
from api.schemas.problem import PROBLEMS
from api.schemas.webhook import (
    DeliveryAnswer,
    DeliveryPage,
    DeliveryWithEvent,
    ReplayAnswer,
    WebhookReplay,
    delivery_json,
)
from app.access import audit
from app.access.rights import Right
from app.db.audit import AuditRow
from app.events.envelope import envelope
from app.webhooks import deliveries, records
from app.webhooks.deliveries import Replay

router = APIRouter(
    route_class=Guarded,
    prefix="/webhooks/{webhook_id}",
    tags=["webhooks"],
    responses=PROBLEMS,
)

#: fields of the answer to a replay
_ANSWER = tuple(ReplayAnswer.model_fields)


@router.get("/deliveries", response_model=DeliveryPage, dependencies=[needs(Right.READ)])
def get_deliveries(
    webhook_id: UUID,
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    state: Annotated[Literal["pending", "delivered", "failed"] | None, Query()] = None,
) -> Response:
    """Newest first; they are kept as long as their events."""
    with resources.database.session() as session:
        webhook = records.find(session, caller.project_id, webhook_id)
        rows = deliveries.list_deliveries(
            session, webhook, limit=page.rows, before=page.before_id, state=state
        )
    return page.answer(rows, delivery_json)


@router.get(
    "/deliveries/{delivery_id}", response_model=DeliveryWithEvent, dependencies=[needs(Right.READ)]
)
def get_delivery(
    webhook_id: UUID, delivery_id: UUID, caller: Caller, resources: WithResources
) -> Response:
    """With the body that is sent."""
    with resources.database.session() as session:
        webhook = records.find(session, caller.project_id, webhook_id)
        row, event = deliveries.find_delivery(session, webhook, delivery_id)
    return json_response({**delivery_json(row), "event": envelope(event)})


@router.post(
    "/replay", response_model=ReplayAnswer, status_code=202, dependencies=[needs(Right.WATCH_OWN)]
)
def replay(
    webhook_id: UUID,
    body: WebhookReplay,
    request: Request,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Send again: deliveries by their ids, or every event since a time that the webhook asks for
    now, also those that it was never sent; at most 1,000 at once. Their ids stay, so that a
    receiver knows what it had.
    """
    asked = Replay(delivery_ids=body.delivery_ids, since=body.since, until=body.until)
    with resources.database.session() as session:
        webhook = records.locked(session, caller.project_id, webhook_id)
        require_own_webhook(caller, webhook)
        route, said = f"POST /webhooks/{webhook_id}/replay", body.model_dump(mode="json")
        once = Once(session, caller, route, idempotency_key, said)
        if once.made is None:
            done = deliveries.replay(session, webhook, asked)
            answer = {"count": done.count, "next_since": _text(done.next_since)}
            entry = audit.record(
                session,
                caller,
                "webhooks.replay",
                f"webhooks/{webhook_id}",
                request_id=request_id_of(request),
                **answer,
            )
            once.remember(entry)
        else:  # a replay leaves no row of its own: the audit log knows what was answered
            answer = {name: session.get_one(AuditRow, once.made).details[name] for name in _ANSWER}
    return json_response(answer, status=202, headers=once.headers)


@router.post(
    "/test", response_model=DeliveryAnswer, status_code=202, dependencies=[needs(Right.WATCH_OWN)]
)
def send_trial(
    webhook_id: UUID,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Send it a WebhookTested: by the sender that sends all others. The delivery says what came of
    it within seconds.
    """
    with resources.database.session() as session:
        webhook = records.locked(session, caller.project_id, webhook_id)
        require_own_webhook(caller, webhook)
        once = Once(session, caller, f"POST /webhooks/{webhook_id}/test", idempotency_key, {})
        if once.made is None:
            row = deliveries.send_test(session, webhook, by=caller.name)
            once.remember(row.id)
        else:
            row, _ = deliveries.find_delivery(session, webhook, once.made)
        where = f"/api/v1/webhooks/{webhook_id}/deliveries/{row.id}"
        headers = {"Location": where} | once.headers
        return json_response(delivery_json(row), status=202, headers=headers)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
