"""Model versions: list, look at, download their files."""

import mimetypes
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import Field

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.files import blocks
from api.schemas.evaluation import EvaluationPage, evaluation_json
from api.schemas.model import ModelAnswer, ModelPage, model_etag, model_json
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import NotFound
from app.evaluation.records import list_evaluations
from app.models.records import aliases_of, list_models, resolve_model
from app.pages.policy import PAGE_HEADERS
from app.resources import Resources
from workers.interactive import ask

router = APIRouter(route_class=Guarded, prefix="/models", tags=["models"], responses=PROBLEMS)


class MarkdownResponse(Response):
    media_type = "text/markdown"


#: `<id>` | `name` | `name:3` | `name@alias`
Ref = str
_Label = Annotated[str, Field(pattern=r"^[^:]+:.*$", max_length=401)]


@router.get("", response_model=ModelPage, dependencies=[needs(Right.READ)])
def get_models(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    name: Annotated[str | None, Query(max_length=63)] = None,
    label: Annotated[list[_Label] | None, Query(max_length=20, description="key:value")] = None,
    state: Literal["candidate", "archived"] = "candidate",
) -> Response:
    """Newest first; `label`: all of them; archived versions only where they are asked for."""
    with resources.database.session() as session:
        rows = list_models(
            session,
            caller.project_id,
            name=name,
            labels=dict(text.partition(":")[::2] for text in label or []),
            archived=state == "archived",
            limit=page.rows,
            before_id=page.before_id,
        )
        aliases = aliases_of(session, caller.project_id, [row.id for row in rows])

    def show(row: Any) -> dict[str, Any]:
        return model_json(row, [a.alias for a in aliases if a.model_id == row.id])

    return page.answer(rows, show)


@router.get("/{ref}", response_model=ModelAnswer, dependencies=[needs(Right.READ)])
def get_model(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = resolve_model(session, caller.project_id, ref)
        aliases = aliases_of(session, caller.project_id, [row.id])
    body = model_json(row, [a.alias for a in aliases])
    return json_response(body, headers={"ETag": model_etag(row)})


@router.get("/{ref}/evaluations", response_model=EvaluationPage, dependencies=[needs(Right.READ)])
def evaluations(
    ref: Ref,
    caller: Caller,
    resources: WithResources,
    page: WithPage,
) -> Response:
    """What jobs of kind `evaluate` found about this version, newest first."""
    with resources.database.session() as session:
        model = resolve_model(session, caller.project_id, ref)
        rows = list_evaluations(
            session,
            caller.project_id,
            model.id,
            limit=page.rows,
            before_id=page.before_id,
        )
    return page.answer(rows, evaluation_json)


@router.get("/{ref}/manifest", dependencies=[needs(Right.READ)])
def manifest(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    """Everything that says what the model is: features, calibration, hashes, versions."""
    with resources.database.session() as session:
        row = resolve_model(session, caller.project_id, ref)
    return Response(resources.storage.read(row.manifest_key), media_type="application/json")


@router.get("/{ref}/report", response_class=HTMLResponse, dependencies=[needs(Right.READ)])
def report(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    """The report as one page to look at and to send on: figures with intervals, plots, worst
    errors, domain, leaks, how to make the model again.
    """
    text = _report(ref, caller, resources, "report.html")
    return Response(text, media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)


@router.get("/{ref}/card", response_class=MarkdownResponse, dependencies=[needs(Right.READ)])
def card(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    """The model card (Mitchell et al. 2019) as Markdown; what a person must add is listed."""
    text = _report(ref, caller, resources, "card.md")
    return MarkdownResponse(text)


@router.get("/{ref}/qmrf", response_class=MarkdownResponse, dependencies=[needs(Right.READ)])
def qmrf(ref: Ref, caller: Caller, resources: WithResources) -> Response:
    """A QMRF-style summary of the five OECD principles as Markdown; gaps are listed."""
    text = _report(ref, caller, resources, "qmrf.md")
    return MarkdownResponse(text)


def _report(ref: Ref, caller: Principal, resources: Resources, name: str) -> bytes | str:
    """As its training stored it; of a model of an earlier release a worker writes it now."""
    with resources.database.session() as session:
        row = resolve_model(session, caller.project_id, ref)
    key = f"{row.manifest_key.rpartition('/')[0]}/{name}"
    if resources.storage.exists(key):
        return resources.storage.read(key)
    asked = {"question": "model_report", "manifest_key": row.manifest_key, "file": name}
    text: str = ask(resources, asked, resources.settings.interactive_timeout_seconds)["text"]
    return text


@router.get(
    "/{ref}/files/{path:path}", response_class=StreamingResponse, dependencies=[needs(Right.READ)]
)
def file(ref: Ref, path: str, caller: Caller, resources: WithResources) -> StreamingResponse:
    """metrics.json, predictions.parquet, report.html, parity.svg or roc.svg, weights/..."""
    with resources.database.session() as session:
        row = resolve_model(session, caller.project_id, ref)
    known = orjson.loads(resources.storage.read(row.manifest_key))["files"]
    if path not in known:
        raise NotFound(
            f"the model {row.name}:{row.number} has no file {path!r}",
            remedy=f"Its files are: {', '.join(sorted(known))}.",
        )
    stream = resources.storage.open(f"{row.manifest_key.rpartition('/')[0]}/{path}")
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    drawn = media_type in ("text/html", "image/svg+xml")
    headers = PAGE_HEADERS if drawn else None
    return StreamingResponse(blocks(stream), media_type=media_type, headers=headers)
