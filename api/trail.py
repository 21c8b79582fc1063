"""What the audit log is to know of a request: who, from where, which route, which body.

The entry itself is written in the transaction that changes something (app/db/audit_entries.py).
"""

from functools import partial
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from api.short_cuts import SHORT_ROUTE
from app.access.principal import Principal
from app.core.origin import Origin, current_origin

_PREFIX = "/api/v1/"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_VERBS = {"POST": "create", "PUT": "put", "PATCH": "change", "DELETE": "delete"}
#: POST because their question is long, or whose every step is told by the request that ends them;
#: tests/integration/audit/test_every_write.py knows why
UNTOLD = frozenset(
    (
        ("POST", "predictions"),
        ("POST", "comparisons"),
        ("POST", "jobs/estimate"),
        ("POST", "schedules/preview"),
        ("POST", "files/{file_id}/preview"),
        ("PUT", "files/uploads/{upload_id}/parts/{number}"),
    )
)


def origin_of(scope: Scope, headers: Headers, request_id: str) -> Origin:
    client = scope.get("client")
    return Origin(
        request_id=request_id,
        ip=client[0] if client else None,
        read_user_agent=partial(headers.get, "user-agent"),
        read_route=partial(_named, scope),
        writes=scope["method"] not in _SAFE,
    )


def mark_caller(caller: Principal, scope: Scope) -> None:
    """Of the request that is being answered, once its route is found."""
    origin = current_origin()
    if origin is None or not origin.writes:
        return
    origin.project_id, origin.principal = caller.project_id, caller.name
    origin.writes = (scope["method"], _template(scope)) not in UNTOLD


def _template(scope: Scope) -> str:
    route: Any = scope.get("route")
    known = getattr(route, "path_format", None) or scope.get(SHORT_ROUTE) or scope["path"]
    return str(known).removeprefix(_PREFIX).strip("/")


def _named(scope: Scope) -> tuple[str, str]:
    """("jobs.cancel", "jobs/0196...") of POST /api/v1/jobs/{job_id}/cancel."""
    parts = _template(scope).split("/")
    words = [part for part in parts if not part.startswith("{")]
    # what is asked of one thing is named by its last word
    done_to_one = scope["method"] == "POST" and len(words) < len(parts) and parts[-1] == words[-1]
    if not done_to_one:
        words.append(_VERBS.get(scope["method"], "change"))
    return ".".join(words), scope["path"].removeprefix(_PREFIX).strip("/")
