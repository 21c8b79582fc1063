"""The audit log, for administrators: look, export, verify."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.audit import AuditPage, VerificationAnswer
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.audit_log import AuditFilter, all_entries, as_csv, as_jsonl, list_entries
from app.access.rights import Right
from app.access.verification import verify
from app.core.requests import Instant

router = APIRouter(route_class=Guarded, prefix="/audit", tags=["audit"], responses=PROBLEMS)

_FORMATS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "jsonl": (as_jsonl, "application/jsonl"),
}


def _filters(
    principal: Annotated[str | None, Query(max_length=200, description="key:plate-reader")] = None,
    action: Annotated[
        str | None, Query(max_length=100, description="registry means registry.* too")
    ] = None,
    resource: Annotated[
        str | None, Query(max_length=400, description="registry/sol means what is below it too")
    ] = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> AuditFilter:
    return AuditFilter(
        principal=principal, action=action, resource=resource, since=since, until=until
    )


WithFilters = Annotated[AuditFilter, Depends(_filters)]


@router.get("", response_model=AuditPage, dependencies=[needs(Right.AUDIT_READ)])
def list_audit(
    caller: Caller, filters: WithFilters, resources: WithResources, page: WithPage
) -> Response:
    """Who did what, newest first. Administrators only."""
    rows = list_entries(
        resources.database,
        caller.project_id,
        filters,
        limit=page.rows,
        before_id=page.before_id,
    )
    shown = rows[: page.limit]
    return page.answer_until(list(shown), shown[-1]["id"] if len(rows) > page.limit else None)


@router.get(
    "/export",
    response_class=StreamingResponse,
    dependencies=[needs(Right.AUDIT_READ)],
    responses={
        200: {
            "content": {"text/csv": {}, "application/jsonl": {}},
            "description": "All entries that match, oldest first",
        }
    },
)
def export_audit(
    caller: Caller,
    filters: WithFilters,
    resources: WithResources,
    format: Literal["csv", "jsonl"] = "jsonl",  # noqa: A002 - the name of the query's parameter
) -> StreamingResponse:
    """All that match, oldest first, streamed. Cells of a CSV that a spreadsheet would run as a
    formula begin with a quote; `jsonl` is exact. Administrators only; the export is told, too.
    """
    with resources.database.session() as session:
        asked = {name: str(value) for name, value in vars(filters).items() if value is not None}
        audit.record(session, caller, "audit.export", "audit", format=format, asked=asked)
    write, media_type = _FORMATS[format]
    return StreamingResponse(
        write(all_entries(resources.database, caller.project_id, filters)),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="audit.{format}"'},
    )


@router.get("/verify", response_model=VerificationAnswer, dependencies=[needs(Right.AUDIT_READ)])
def verify_audit(caller: Caller, resources: WithResources) -> Response:
    """Whether the log is what it was: every entry's hash, the chain, and the daily anchors in the
    blob store; `breach` names the first that was altered or is gone. Administrators only.
    """
    found = verify(resources.database, resources.storage, caller.project_id)
    breach = None if found.breach is None else vars(found.breach)
    return json_response({**vars(found), "breach": breach, "unbroken": breach is None})
