"""What a refused request probably meant: the form of the body, the media type, the route."""

from typing import Any

from fastapi import Request, params

from app.core.names import near, shown

#: pages beside the API proper
_PAGES = ("/docs", "/openapi.json", "/problems", "/problems/{code}")


def form_of(request: Request) -> Any:
    """The type of the body that the request's route takes; None without one."""
    field = _body_field(request)
    return None if field is None else field.field_info.annotation


def wrong_media_type(request: Request) -> str | None:
    """What is wrong about the Content-Type; None when it is right, or there is no body."""
    field, given = _body_field(request), request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if field is None or not _has_body(request):
        return None
    if isinstance(field.field_info, params.Form):
        right, expected = kind.startswith("multipart/form-data"), "multipart/form-data"
    else:
        right = kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )
        expected = "application/json"
    said = shown(kind) if kind else "not given"
    return None if right else f"the Content-Type is {said}; this route takes {expected}"


def near_routes(request: Request) -> list[str]:
    """Templates of the routes that the path resembles, best first."""
    typed = request.url.path
    templates = [*request.app.openapi()["paths"], *_PAGES]
    filled = {_filled(template, typed): template for template in templates}
    return [filled[path] for path in near(typed, filled)]


def _filled(template: str, typed: str) -> str:
    """The template with the typed path's own ids and names in the places of its parameters."""
    given = typed.split("/")
    return "/".join(
        given[place] if part.startswith("{") and place < len(given) else part
        for place, part in enumerate(template.split("/"))
    )


def _body_field(request: Request) -> Any:
    return getattr(request.scope.get("route"), "body_field", None)


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length")
    return length not in (None, "0") or "transfer-encoding" in request.headers
