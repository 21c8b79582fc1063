"""JSON by orjson, Prefer, ETag: what several routes share."""

import hashlib
import re
from typing import Any

import orjson
from fastapi import Response

from app.jobs.model import Job

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
_MAX_WAIT = 60.0


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(body, option=_OPTIONS),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def etag_of(job: Job) -> str:
    """Changes with the state and with the progress."""
    progress = hashlib.sha256(orjson.dumps(job.progress)).hexdigest()[:8]
    return f'"{job.version}-{progress}"'


def preferred_wait(prefer: str | None) -> float | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most 60."""
    match = re.search(r"\bwait=(\d+(?:\.\d+)?)", prefer or "")
    return min(float(match[1]), _MAX_WAIT) if match else None


def preference_applied(prefer: str | None) -> dict[str, str]:
    """The header that says how long a route has waited at most, where the request said so."""
    wait = preferred_wait(prefer)
    return {} if wait is None else {"Preference-Applied": f"wait={wait:g}"}
