"""JSON by orjson, cursors, Prefer: what several routes share."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
from fastapi import Response

from app.core.errors import InvalidInput
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


def page(items: Sequence[Any], limit: int, show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """`items` holds one more than `limit` when there is a next page."""
    shown = items[:limit]
    more = len(items) > limit
    cursor = encode_cursor(shown[-1].id) if more else None
    return {"items": [show(item) for item in shown], "next_cursor": cursor}


def encode_cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def decode_cursor(cursor: str | None) -> UUID | None:
    """Raises InvalidInput for what no page gave."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("the cursor is not one of ours", code="invalid_cursor") from error


def etag_of(job: Job) -> str:
    """Changes with the state and with the progress."""
    progress = hashlib.sha256(orjson.dumps(job.progress)).hexdigest()[:8]
    return f'"{job.version}-{progress}"'


def preferred_wait(prefer: str | None) -> float | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most 60."""
    match = re.search(r"\bwait=(\d+(?:\.\d+)?)", prefer or "")
    return min(float(match[1]), _MAX_WAIT) if match else None
