"""The catalogue of problem codes, for people and programs; open, as the links in errors are."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.errors import STATUS
from api.problem_pages import HEADERS, list_page, problem_page
from api.responses import json_response
from api.rights import OPEN, Guarded
from app.core.errors import NotFound
from app.core.names import near, shown
from app.core.problems import CATALOGUE, FIELD_CODES, WARNING_CODES, ProblemType

router = APIRouter(route_class=Guarded, prefix="/problems", tags=["problems"])

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}}, "description": "JSON, or a page for a browser"}
}


@router.get("", responses=_PAGE, dependencies=[OPEN])
def list_problems(request: Request) -> Response:
    """Every code that an error or a failed job may carry; a page for a browser, JSON otherwise."""
    if _wants_html(request):
        return Response(list_page(), media_type="text/html", headers=HEADERS)
    return json_response(
        {
            "items": [entry_json(entry) for entry in CATALOGUE.values()],
            "field_codes": FIELD_CODES,
            "warning_codes": WARNING_CODES,
            "next_cursor": None,
        }
    )


@router.get("/{code}", responses=_PAGE, dependencies=[OPEN])
def get_problem(code: str, request: Request) -> Response:
    """What a code means, why it happens and what to do."""
    entry = CATALOGUE.get(code)
    if entry is None:
        nearest = near(code, CATALOGUE)
        raise NotFound(
            f"there is no problem code {shown(code)}",
            remedy=f"Did you mean {', '.join(nearest)}?" if nearest else "See GET /problems.",
        )
    if _wants_html(request):
        return Response(problem_page(entry), media_type="text/html", headers=HEADERS)
    shown_entry = entry_json(entry)
    if code == "invalid_request":
        shown_entry["field_codes"] = FIELD_CODES
    return json_response(shown_entry)


def entry_json(entry: ProblemType) -> dict[str, Any]:
    return {
        "type": f"/problems/{entry.code}",
        "code": entry.code,
        "title": entry.title,
        "status": None if entry.category == "job" else STATUS[entry.category],
        "cause": entry.cause,
        "remedy": entry.remedy,
        "retryable": entry.retryable,
        "example": entry.example or None,
    }


def _wants_html(request: Request) -> bool:
    """A browser names text/html first; curl and clients take anything, or JSON."""
    accepted = request.headers.get("accept", "")
    page, json = accepted.find("text/html"), accepted.find("json")
    return page >= 0 and (json < 0 or page < json)
