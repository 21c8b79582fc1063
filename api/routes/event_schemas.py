"""What events look like: JSON Schemas and an AsyncAPI document; open, as /openapi.json is."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.responses import json_response
from api.rights import OPEN, Guarded
from api.schemas.event import EventTypePage
from api.schemas.problem import PROBLEMS
from app.commands.types import COMMANDS
from app.events import asyncapi as document
from app.events import schemas

router = APIRouter(
    route_class=Guarded,
    dependencies=[OPEN],
    tags=["events"],
    responses={404: PROBLEMS[404], 422: PROBLEMS[422]},
)


@router.get("/schemas", response_model=EventTypePage)
def list_schemas() -> Response:
    """Every type of event."""
    return json_response({"items": schemas.listed(), "next_cursor": None})


@router.get("/schemas/{type}/{version}", response_model=dict[str, Any])
def get_schema(
    type: Annotated[str, Path(max_length=100)],  # noqa: A002 - the field's name
    version: Annotated[int, Path(ge=1, le=1_000)],
) -> Response:
    """JSON Schema of the whole envelope of this type."""
    return json_response(schemas.schema(type, version))


@router.get("/asyncapi.json", response_model=dict[str, Any])
def asyncapi(request: Request) -> Response:
    """AsyncAPI 3.0: events by Redis, server-sent, by webhooks and Kafka; the commands."""
    server, version = request.url.netloc, request.app.version
    return json_response(document.asyncapi(server, version, COMMANDS))
