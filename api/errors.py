"""The one table from errors to HTTP: RFC 9457 problem details for everything that goes wrong."""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import sqlalchemy.exc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.core import errors
from app.core.errors import FieldError, Problem, RetortError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: the first class in the error's ancestry that is listed decides
STATUS: dict[type[RetortError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Unauthorized: 401,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.IdempotencyMismatch: 422,
    errors.IdempotencyInProgress: 409,
    errors.PayloadTooLarge: 413,
    errors.TooManyJobs: 429,
    errors.TooManyUploads: 429,
    errors.UploadBusy: 409,
    errors.RangeNotSatisfiable: 416,
    errors.Unavailable: 503,
    errors.Retryable: 503,
    errors.RetortError: 500,
}
#: a worker's answer names the problem by its code
STATUS_OF_CODE = {cls.code: status for cls, status in STATUS.items()} | {
    "unknown_name": 422,
    "model_altered": 409,
}

_HTTP: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "The request cannot be read", "Send valid JSON, or a multipart form."),
    404: ("not_found", "Not found", "See /docs for the routes."),
    405: ("method_not_allowed", "This method is not offered here", "See /docs for the methods."),
    413: (
        "payload_too_large",
        "The body is larger than allowed",
        "Split the file, compress it (.gz), or ask the operator to raise the limit.",
    ),
}


def status_of(error: RetortError) -> int:
    for cls in type(error).__mro__:
        if cls in STATUS and cls is not RetortError:
            return STATUS[cls]
    return STATUS_OF_CODE.get(error.problem()["code"], 500)


def problem_response(
    request: Request, problem: Problem, status: int, headers: dict[str, str] | None = None
) -> Response:
    body = {
        "type": f"/problems/{problem['code']}",
        "status": status,
        "instance": request.url.path,
        "request_id": request_id_of(request),
        **problem,
    }
    return Response(
        orjson.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers or {}
    )


def request_id_of(request: Request) -> str:
    known: str | None = getattr(request.state, "request_id", None)
    return known or uuid4().hex


def install(api: FastAPI) -> None:
    api.add_exception_handler(RetortError, _domain)
    api.add_exception_handler(RequestValidationError, _validation)
    api.add_exception_handler(HTTPException, _http)
    for outage in (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.InterfaceError,
        sqlalchemy.exc.TimeoutError,
    ):
        api.add_exception_handler(outage, _outage)
    api.add_exception_handler(Exception, _bug)


def _domain(request: Request, error: Exception) -> Response:
    if not isinstance(error, RetortError):
        raise TypeError(error)
    status = status_of(error)
    headers = dict(error.headers)
    if status == 401:  # noqa: PLR2004 - RFC 9110 wants the challenge
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:  # noqa: PLR2004
        headers.setdefault("Retry-After", "5")
    return problem_response(request, error.problem(), status, headers)


def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(error)
    wrong = [_field(item) for item in error.errors()]
    problem = Problem(
        code="invalid_request",
        title="The request is not valid",
        detail="; ".join(f"{f['pointer']}: {f['detail']}" for f in wrong[:5]),
        remedy="Correct the named fields; /docs shows what each takes.",
        errors=wrong,
        retryable=False,
    )
    return problem_response(request, problem, 422)


def _field(item: dict[str, Any]) -> FieldError:
    """The union's branch names are no part of the pointer that a client sent."""
    location = [str(part) for part in item["loc"]]
    if location[:1] == ["body"]:
        location = location[1:]
        if location and location[0] in _kinds():
            location = location[1:]
        pointer = "/" + "/".join(location)
    else:
        pointer = "/".join(location)
    detail = item["msg"]
    if item["type"] == "extra_forbidden":
        detail = f"there is no field {location[-1]!r}"
    return FieldError(pointer=pointer, code=item["type"], detail=detail)


def _kinds() -> Sequence[str]:
    from app.kinds import KINDS

    return list(KINDS)


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    code, title, remedy = _HTTP.get(
        error.status_code, ("http_error", str(error.detail), "See /docs.")
    )
    problem = Problem(
        code=code,
        title=title,
        detail=str(error.detail),
        remedy=remedy,
        errors=[],
        retryable=False,
    )
    return problem_response(request, problem, error.status_code, dict(error.headers or {}))


def _outage(request: Request, error: Exception) -> Response:
    logger.warning("request %s: the database does not answer: %s", request_id_of(request), error)
    problem = errors.Unavailable(
        "the database does not answer",
        remedy="Send the same request again after the seconds named in Retry-After.",
    ).problem()
    return problem_response(request, problem, 503, {"Retry-After": "2"})


def _bug(request: Request, error: Exception) -> Response:
    logger.error("request %s failed", request_id_of(request), exc_info=error)
    problem = errors.InternalError("the request failed for a reason of ours").problem()
    return problem_response(request, problem, 500)
