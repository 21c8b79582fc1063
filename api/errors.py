"""The one table from errors to HTTP: RFC 9457 problem details for everything that goes wrong."""

import logging
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import sqlalchemy.exc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.compat.failures import failure_members
from api.hints import form_of, near_routes, wrong_media_type
from api.offered import path_of
from api.security_headers import SECURITY_HEADERS
from app.core import errors
from app.core.errors import FieldError, Problem, RetortError, make_problem
from app.core.masking import mask_keys
from app.core.names import shown
from app.core.problems import Category, problem_type
from app.core.validation import field_errors, suggestions
from app.jobs.outages import is_outage

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[Category, int] = {
    "malformed": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "missing": 404,
    "method": 405,
    "conflict": 409,
    "stale": 412,
    "unconditional": 428,
    "too_large": 413,
    "media_type": 415,
    "range": 416,
    "invalid": 422,
    "too_many": 429,
    "fault": 500,
    "job": 500,
    "unavailable": 503,
}
#: what the framework refuses by a status of its own
_CODE_OF_STATUS: dict[int, str] = {
    400: "malformed_body",
    404: "unknown_route",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}
#: of statuses that ask for the same request later, unless the error knows better (seconds)
_RETRY_AFTER = {429: "5", 503: "5"}


def status_of(code: str) -> int:
    return STATUS[problem_type(code).category]


def problem_response(
    request: Request,
    problem: Problem,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The problem as a document; `status` when it is not that of the code."""
    status = status or status_of(problem["code"])
    known = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004 - RFC 9110
    if status in _RETRY_AFTER:
        known["Retry-After"] = _RETRY_AFTER[status]
    body = {
        **problem,
        "status": status,
        "instance": request.url.path,
        "request_id": request_id_of(request),
        **failure_members(request.url.path, problem["detail"], problem["remedy"]),
    }
    document = orjson.dumps(body)
    if b"rt_" in document:  # as somebody's path or value that is said again
        document = mask_keys(document.decode()).encode()
    return Response(
        document,
        status_code=status,
        media_type=MEDIA_TYPE,
        # the first two also where the middleware does not come by: an unexpected error
        headers={
            **SECURITY_HEADERS,
            "X-Request-ID": request_id_of(request),
            **known,
            **(headers or {}),
        },
    )


def request_id_of(request: Request) -> str:
    known: str | None = getattr(request.state, "request_id", None)
    return known or uuid4().hex


def install(api: FastAPI) -> None:
    api.add_exception_handler(RetortError, _domain)
    api.add_exception_handler(RequestValidationError, _validation)
    api.add_exception_handler(HTTPException, _http)
    for wrong_value in (psycopg.DataError, sqlalchemy.exc.DataError):
        api.add_exception_handler(wrong_value, _value)
    for outage in (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.InterfaceError,
        sqlalchemy.exc.TimeoutError,
    ):
        api.add_exception_handler(outage, _database_outage)
    api.add_exception_handler(Exception, _unexpected)


def _domain(request: Request, error: Exception) -> Response:
    if not isinstance(error, RetortError):
        raise TypeError(error)
    if isinstance(error, errors.QuotaExceeded):
        request.app.state.quota_teller.tell(error)
    problem = error.problem()
    if status_of(problem["code"]) >= 500:  # noqa: PLR2004 - ours to mend: the log says more
        logger.warning("request %s: %s", request_id_of(request), error, exc_info=error)
    return problem_response(request, problem, headers=error.headers)


def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(error)
    items = error.errors()
    malformed = [item for item in items if item["type"] == "json_invalid"]
    if malformed:
        return _answer(request, "malformed_body", f"the body is no JSON: {malformed[0]['msg']}")
    wrong = wrong_media_type(request)
    if wrong is not None and any(item["loc"][0] == "body" for item in items):
        return _answer(request, "unsupported_media_type", wrong)
    in_body = [{**item, "loc": item["loc"][1:]} for item in items if item["loc"][0] == "body"]
    outside = [item for item in items if item["loc"][0] != "body"]
    found = field_errors(in_body, form_of(request)) + [_outside(item) for item in outside]
    meant = suggestions(in_body, form_of(request))
    detail = "; ".join(f"{field['pointer']}: {field['detail']}" for field in found[:5])
    remedy = " ".join([*meant[:5], problem_type("invalid_request").remedy]) if meant else None
    return _answer(request, "invalid_request", detail, remedy=remedy, errors=found)


def _outside(item: dict[str, Any]) -> FieldError:
    """Of the query, the path or a header, named as the client knows it."""
    (entry,) = field_errors([{**item, "loc": item["loc"][1:]}], None)
    return FieldError(
        pointer=f"{item['loc'][0]}{entry['pointer']}", code=entry["code"], detail=entry["detail"]
    )


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    if isinstance(error.__cause__, RetortError):  # raised while the framework read the body
        return _domain(request, error.__cause__)
    status = error.status_code
    code = _CODE_OF_STATUS.get(status, "bad_request")
    detail, remedy = str(error.detail), None
    if status == 404:  # noqa: PLR2004
        detail = f"there is no {shown(request.url.path)}"
        near = near_routes(request)
        remedy = f"Did you mean {', '.join(near)}? /docs lists all routes." if near else None
    elif status == 405:  # noqa: PLR2004
        detail = f"{request.method} is not offered for {shown(request.url.path)}"
    headers = dict(error.headers or {})
    if status == 405:  # noqa: PLR2004
        offered = request.app.state.offered.methods(path_of(request.scope))
        if offered:  # the framework names those of the first route alone
            headers["Allow"] = ", ".join(offered)
    problem = make_problem(problem_type(code), detail, remedy=remedy)
    return problem_response(request, problem, status=status, headers=headers)


def _value(request: Request, error: Exception) -> Response:
    """A value that the database cannot hold, and that we should have refused by name."""
    logger.error("request %s: %s", request_id_of(request), error, exc_info=error)
    return _answer(request, "invalid_input", "a value of the request is outside of what is stored")


def _database_outage(request: Request, error: Exception) -> Response:
    logger.warning("request %s: the database does not answer: %s", request_id_of(request), error)
    problem = errors.Unavailable("the database does not answer").problem()
    return problem_response(request, problem, headers={"Retry-After": "2"})


def _unexpected(request: Request, error: Exception) -> Response:
    """A bug, or an outage in a place where nobody expected one: the log has the trace."""
    logger.error("request %s failed", request_id_of(request), exc_info=error)
    if is_outage(error):
        return _answer(request, "unavailable", "a part of the cluster does not answer")
    return _answer(request, "internal_error", "the request failed for a reason of ours")


def _answer(
    request: Request,
    code: str,
    detail: str,
    *,
    remedy: str | None = None,
    errors: list[FieldError] | None = None,
) -> Response:
    problem = make_problem(problem_type(code), detail, remedy=remedy, errors=errors or [])
    return problem_response(request, problem)
