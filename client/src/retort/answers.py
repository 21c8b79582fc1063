"""How requests and answers look, apart from sending them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from retort.curl import Call
from retort.errors import ConnectionFailed, RetortError, TimedOut
from retort.patience import Patience
from retort.version import __version__

PREFIX = "/api/v1"
#: no part of the API proper
_OUTSIDE = ("/health/", "/problems", "/openapi.json", "/schemas", "/asyncapi.json")


USER_AGENT = f"retort-client/{__version__}"


def origin_of(url: str) -> str:
    return url.rstrip("/").removesuffix(PREFIX)


def url_of(origin: str, path: str) -> str:
    """Absolute; `path` is below the API's prefix, or one of the few beside it."""
    outside = path.startswith(_OUTSIDE) or path.startswith(f"{PREFIX}/")
    return f"{origin}{path}" if outside else f"{origin}{PREFIX}{path}"


def describe(origin: str, method: str, path: str, options: Mapping[str, Any]) -> Call:
    files = options.get("files")
    return Call(
        method=method,
        url=url_of(origin, path),
        params=options.get("params") or {},
        json=options.get("json"),
        headers=options["headers"],
        file=getattr(files["file"][1], "shown", files["file"][0]) if files else None,
        has_content="content" in options,
    )


def problem_of(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document, or one made from whatever a proxy said."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and "detail" in body:
        return body
    return {
        "code": f"http_{response.status_code}",
        "detail": f"the server answered {response.status_code} {response.reason_phrase}",
        "remedy": "Check that the address is Retort's.",
    }


def unreachable(origin: str, error: Exception) -> RetortError:
    return ConnectionFailed(
        {
            "code": "connection_failed",
            "detail": f"{origin} cannot be reached ({type(error).__name__})",
            "remedy": "Is the cluster running? `retort status` says so; `retort up` (or `make up`) "
            "starts it.",
        }
    )


def timed_out(patience: Patience, last: RetortError) -> RetortError:
    return TimedOut(
        {
            "code": "timed_out",
            "detail": f"no answer within {patience.total_timeout:g} s; the last one: {last.detail}",
            "remedy": "Try again, or allow more time: `client.with_options(total_timeout=...)`.",
        }
    )


def not_ended(job: Mapping[str, Any], seconds: float | None) -> RetortError:
    return TimedOut(
        {
            "code": "timed_out",
            "detail": f"the job {job['id']} is {job['state']} after {seconds:g} s; it runs on",
            "remedy": "Wait longer, follow it, or cancel it.",
        }
    )


def plain_times(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Times as RFC 3339 with a zone; one without is of this machine's. Raises ValueError."""
    return {
        name: moment(value) if name.startswith("created_") and name != "created_by" else value
        for name, value in filters.items()
        if value is not None
    }


def moment(value: str | datetime) -> str:
    """RFC 3339 with a zone; one without is of this machine's. Raises ValueError."""
    then = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (then if then.tzinfo is not None else then.astimezone()).isoformat()


def filled(**values: Any) -> dict[str, Any]:
    """Only what was said: the server refuses fields that it does not know."""
    return {name: value for name, value in values.items() if value is not None}
