"""Webhooks of the server in memory: kept and shown; nothing is ever sent."""

import base64
import os
from typing import Any

import httpx

from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, Refused, State, find, new_id, now, page

_FIELDS = ("url", "types", "filter", "description", "labels", "state")


@route("GET", "/api/v1/webhooks")
def listed(state: State, asked: Asked) -> Json:
    return page([_shown(hook) for hook in state.webhooks.values()], asked.query)


@route("POST", "/api/v1/webhooks")
def create(state: State, asked: Asked) -> httpx.Response:
    body = asked.body()
    url = str(body.get("url", ""))
    if not url.startswith("https://"):
        raise Refused(422, "address_refused", "the address must begin with https://")
    hook: Json = {
        "id": new_id(),
        "url": url,
        "description": body.get("description", ""),
        "types": body.get("types", []),
        "filter": body.get("filter", {}),
        "labels": body.get("labels", {}),
        "state": "active",
        "disabled_reason": None,
        "failures": 0,
        "failing_since": None,
        "previous_secret_until": None,
        "version": 1,
        "created_at": now(),
        "created_by": "key:fake",
        "updated_at": now(),
        "deliveries": {},
    }
    state.webhooks[hook["id"]] = hook
    return respond({**_shown(hook), "secret": _secret()}, 201)


@route("GET", "/api/v1/webhooks/{hook_id}")
def one(state: State, asked: Asked, hook_id: str) -> Json:
    return _shown(find(state.webhooks, hook_id, "webhook"))


@route("PATCH", "/api/v1/webhooks/{hook_id}")
def change(state: State, asked: Asked, hook_id: str) -> Json:
    hook = find(state.webhooks, hook_id, "webhook")
    _matched(hook, asked)
    hook.update({name: value for name, value in asked.body().items() if name in _FIELDS})
    hook["version"] += 1
    return _shown(hook)


@route("DELETE", "/api/v1/webhooks/{hook_id}")
def remove(state: State, asked: Asked, hook_id: str) -> httpx.Response:
    _matched(find(state.webhooks, hook_id, "webhook"), asked)
    del state.webhooks[hook_id]
    return respond(status=204)


@route("POST", "/api/v1/webhooks/{hook_id}/rotate")
def rotate(state: State, asked: Asked, hook_id: str) -> Json:
    hook = find(state.webhooks, hook_id, "webhook")
    hook["version"] += 1
    hook["previous_secret_until"] = now()
    return {**_shown(hook), "secret": _secret()}


@route("POST", "/api/v1/webhooks/{hook_id}/test")
def test(state: State, asked: Asked, hook_id: str) -> httpx.Response:
    hook = find(state.webhooks, hook_id, "webhook")
    delivery: Json = {
        "id": new_id(),
        "event_id": new_id(),
        "type": "WebhookTested",
        "subject": f"webhooks/{hook_id}",
        "state": "delivered",
        "attempt": 1,
        "replays": 0,
        "next_at": None,
        "sent_at": now(),
        "status": 200,
        "response": "",
        "error": None,
        "duration_ms": 0.0,
        "delivered_at": now(),
        "created_at": now(),
    }
    hook["deliveries"][delivery["id"]] = delivery
    return respond(delivery, 202)


@route("GET", "/api/v1/webhooks/{hook_id}/deliveries")
def deliveries(state: State, asked: Asked, hook_id: str) -> Json:
    hook = find(state.webhooks, hook_id, "webhook")
    wanted = asked.query.get("state")
    found = [d for d in hook["deliveries"].values() if wanted in (None, d["state"])]
    return page(found, asked.query)


@route("GET", "/api/v1/webhooks/{hook_id}/deliveries/{delivery_id}")
def delivery(state: State, asked: Asked, hook_id: str, delivery_id: str) -> Json:
    hook = find(state.webhooks, hook_id, "webhook")
    found = find(hook["deliveries"], delivery_id, "delivery")
    return {**found, "event": {"id": found["event_id"], "type": found["type"]}}


@route("POST", "/api/v1/webhooks/{hook_id}/replay")
def replay(state: State, asked: Asked, hook_id: str) -> httpx.Response:
    hook, body = find(state.webhooks, hook_id, "webhook"), asked.body()
    named: list[Any] = body.get("delivery_ids") or []
    if bool(named) == bool(body.get("since")):
        raise Refused(422, "invalid_request", "name either delivery_ids or since")
    for delivery_id in named:
        find(hook["deliveries"], delivery_id, "delivery")
    return respond({"count": len(named or hook["deliveries"]), "next_since": None}, 202)


def _matched(hook: Json, asked: Asked) -> None:
    given = asked.headers.get("if-match")
    if given is None:
        raise Refused(428, "precondition_required", "a webhook is changed with If-Match only")
    if given not in ("*", f'"{hook["version"]}"'):
        raise Refused(412, "precondition_failed", "the webhook has changed since it was read")


def _shown(hook: Json) -> Json:
    return {name: value for name, value in hook.items() if name != "deliveries"}


def _secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()
