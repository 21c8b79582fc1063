"""The AsyncAPI 3.0 document: what is told over which way, and which commands are taken."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.events.envelope import MEDIA_TYPE
from app.events.schemas import envelope_schema, said_of
from app.events.types import FAMILIES, TYPES, EventData, family_of

_Json = dict[str, Any]
#: topic and stream of commands, where the settings name no other
_COMMANDS = {"commands": ("commands", "redis"), "kafka_commands": ("retort.commands", "kafka")}
_BEARER = {"type": "http", "scheme": "bearer"}
_SERVERS: _Json = {
    "redis": {
        "host": "redis:6379",
        "protocol": "redis",
        "description": "The installation's own Redis (RETORT_REDIS_URL).",
    },
    "kafka": {
        "host": "kafka:9092",
        "protocol": "kafka",
        "description": "Where RETORT_KAFKA_BOOTSTRAP names one; CloudEvents in structured mode.",
    },
}
_OF_STREAM = (
    "XREADGROUP or XREAD; the last 100,000 or so. The field `event` of an entry is the envelope."
)
_OF_FOLLOW = "Server-sent events; Last-Event-ID resumes."
_OF_TOPIC = "A message's key is the subject of the event."
_OF_COMMANDS = "Each becomes one job; what can never be done goes to this name with `.dead`."


def asyncapi(server: str, version: str, commands: Mapping[str, type[BaseModel]]) -> _Json:
    """`server`: host[:port] of the gateway; `commands`: by their names."""
    events = {name: _event(cls) for name, cls in TYPES.items() if cls.sent}
    taken = {name: _command(name, cls) for name, cls in commands.items()}
    told = _told(events)
    received = {
        name: _channel(taken, address, where, _OF_COMMANDS)
        for name, (address, where) in _COMMANDS.items()
    }
    gateway = {"host": server, "protocol": "http", "security": [_BEARER]}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Retort events",
            "version": version,
            "description": "CloudEvents 1.0. Delivered at least once, in order for each subject; "
            "whoever reads them drops repeated ids.",
        },
        "defaultContentType": MEDIA_TYPE,
        "servers": {**_SERVERS, "gateway": gateway},
        "channels": {**told, **received},
        "operations": {
            **{f"send_{name}": _operation("send", name) for name in told},
            **{f"receive_{name}": _operation("receive", name) for name in received},
        },
        "components": {"messages": {**events, **taken}},
    }


def _told(events: _Json) -> _Json:
    """The channels that events go to; of Kafka one a family that has events."""
    channels = {
        "stream": _channel(events, "events", "redis", _OF_STREAM),
        "follow": _channel(events, "/api/v1/events/stream", "gateway", _OF_FOLLOW),
        "webhooks": {
            "address": None,
            "description": "POST to the address of each webhook, signed (Standard Webhooks).",
            "messages": _refs(events),
        },
    }
    for family in FAMILIES:
        ours = {name: one for name, one in events.items() if family_of(name) == family}
        if ours:
            topic = f"retort.events.{family}"
            channels[f"kafka_{family}"] = _channel(ours, topic, "kafka", _OF_TOPIC)
    return channels


def _operation(action: str, channel: str) -> _Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _channel(messages: _Json, address: str, server: str, said: str) -> _Json:
    return {
        "address": address,
        "description": said,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": _refs(messages),
    }


def _refs(messages: _Json) -> _Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


def _event(cls: type[EventData]) -> _Json:
    payload = _alone(envelope_schema(cls))
    for name in ("$schema", "$id"):
        del payload[name]
    return {
        "name": cls.type_name(),
        "title": cls.type_name(),
        "summary": said_of(cls),
        "contentType": MEDIA_TYPE,
        "payload": payload,
        "correlationId": {"location": "$message.payload#/correlationid"},
    }


def _command(name: str, cls: type[BaseModel]) -> _Json:
    payload = _alone(cls.model_json_schema())
    payload["properties"] = {"type": {"const": name}, **payload["properties"]}
    payload["required"] = ["type", *payload["required"]]
    return {
        "name": name,
        "title": name,
        "summary": said_of(cls),
        "contentType": "application/json",
        "payload": payload,
        "correlationId": {"location": "$message.payload#/correlation_id"},
    }


def _alone(schema: _Json) -> _Json:
    """It stands alone in the document, so what it refers to is put in its place."""
    whole = dict(schema)
    inner = whole.pop("$defs", {})
    found: _Json = _inlined(whole, inner)
    return found


def _inlined(node: Any, inner: _Json) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(inner[node["$ref"].rpartition("/")[2]], inner)
        return {key: _inlined(value, inner) for key, value in node.items()}
    if isinstance(node, list):
        return [_inlined(value, inner) for value in node]
    return node
